// What `varta-watch exec` changes of an environment (spec 16 section 16), and the one that it
// refuses. Decisions only: nothing is asked or sent here.
import { NS_PER_S } from "../base/time.ts";

/** Where the daemon takes beats, and what it says of its asker. */
export interface Doors {
  readonly socket?: string | undefined;
  readonly stream?: string | undefined;
  readonly notify?: string | undefined;
  readonly thresholdNs?: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;
/** By name; undefined = it is removed. */
type EnvironmentChanges = ReadonlyMap<string, string | undefined>;

/** Of a member of which nothing is known: as the configuration has it without a word. */
const THRESHOLD_NS_UNKNOWN = 5 * NS_PER_S;
const NS_PER_US = 1_000;

/** What the environment says of the doors counts for more than what the daemon does. */
export function overruled(doors: Doors, env: Environment): Doors {
  return {
    socket: env["VARTA_SOCKET"] || doors.socket,
    stream: env["VARTA_STREAM"] || doors.stream,
    notify: env["VARTA_NOTIFY"] || doors.notify,
    thresholdNs: doors.thresholdNs,
  };
}

/**
 * Whether the service manager waits for beats of this very process: it would kill the service, as
 * the beats go to the observer.
 */
export function managerWaitsForBeats(env: Environment, pid: number): boolean {
  return env["WATCHDOG_USEC"] !== undefined && env["WATCHDOG_PID"] === String(pid);
}

export function environmentChanges(doors: Doors, pid: number): EnvironmentChanges {
  const { socket, stream, notify, thresholdNs = THRESHOLD_NS_UNKNOWN } = doors;
  const changes = new Map<string, string | undefined>([
    ["NOTIFY_SOCKET", notify],
    ["WATCHDOG_USEC", String(Math.floor(thresholdNs / NS_PER_US))],
    ["WATCHDOG_PID", String(pid)],
  ]);
  // What the daemon does not say stays as it was found.
  if (socket !== undefined) changes.set("VARTA_SOCKET", socket);
  if (stream !== undefined) changes.set("VARTA_STREAM", stream);
  if (notify !== undefined) changes.set("VARTA_NOTIFY", notify);
  return changes;
}

/** `entries` are "NAME=value" as bytes; those that nothing changes stay as they are. */
export function changedEnvironment(
  entries: readonly Uint8Array[],
  changes: EnvironmentChanges,
): readonly Uint8Array[] {
  const kept = entries.filter((entry) => !changes.has(nameOf(entry)));
  for (const [name, value] of changes)
    if (value !== undefined) kept.push(Buffer.from(`${name}=${value}`));
  return kept;
}

function nameOf(entry: Uint8Array): string {
  const end = entry.indexOf("=".charCodeAt(0));
  return Buffer.from(end < 0 ? entry : entry.subarray(0, end)).toString("latin1");
}
