// What a daemon that is down has left (spec 16 section 13): `last-seen` beside its control socket,
// its state, and for who may read neither the times of its files and directories. Nothing is
// changed, and nothing that is read is believed beyond its form.
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { decodeState } from "../snapshot/decoder.ts";
import { type LastSeen, lastSeenInState } from "../view/last_seen.ts";
import { lastSeen } from "./last_seen.ts";
import { readLeftFile } from "./left_file.ts";

interface LastKnown extends Partial<Pick<LastSeen, "agents">> {
  /** RFC 3339, in UTC. */
  readonly time: string;
  /** It may have been there for longer: only what it wrote last is known. */
  readonly isAtLeast: boolean;
}

/** About 40,000 members; of a longer one the time says enough. */
const STATE_BYTES_READ_MAX = 16 * 1_048_576;
/** `last-seen` is so old at most when a daemon is killed. */
const SEEN_EVERY_MS = 5_000;
const STATES_MAX = 8;
/** The last time that a Date can have. */
const DATE_MS_MAX = 8.64e15;
/** Where the units of the packages keep it, by the directory of their sockets. */
const UNIT_DIRECTORY = /^\/run\/varta(?:-([^/]+))?$/;
const STATE_SUFFIX = ".state";

/**
 * Undefined = it has left nothing. `configured`: the state that its configuration file names, if
 * that is known.
 */
export function lastKnown(
  controlPath: string,
  configured: string | undefined = undefined,
): LastKnown | undefined {
  const seen = lastSeen(controlPath);
  const places = [...new Set([...(configured ? [configured] : []), ...statePaths(controlPath)])];
  const states = places.flatMap((path) => knownOf(path) ?? []);
  const latest = states.toSorted((a, b) => b.time.localeCompare(a.time))[0];
  if (seen === undefined) return latest;
  const isLater = latest !== undefined && ageMs(latest) - ageMs(seen) > SEEN_EVERY_MS;
  return isLater ? latest : { time: seen.time, agents: seen.agents, isAtLeast: !seen.final };
}

function ageMs({ time }: { readonly time: string }): number {
  return Date.parse(time);
}

/** Where a daemon with that socket keeps its state, unless its file names another place. */
function statePaths(controlPath: string): string[] {
  const directory = dirname(controlPath);
  const [isUnit, instance] = UNIT_DIRECTORY.exec(directory) ?? [];
  const managed = isUnit === undefined ? [] : [join("/var/lib/varta", instance ?? "", "state")];
  return [...managed, ...statesIn(directory)].slice(0, STATES_MAX);
}

function statesIn(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(STATE_SUFFIX));
    return names.map((name) => join(directory, name));
  } catch {
    return [];
  }
}

function knownOf(path: string): LastKnown | undefined {
  return readState(path) ?? timeOf([path, `${path}.lock`]) ?? timeOf([dirname(path)]);
}

/** The last change of any of them. */
function timeOf(paths: readonly string[]): LastKnown | undefined {
  const times = paths.flatMap((path) => {
    try {
      return statSync(path).mtimeMs;
    } catch {
      return [];
    }
  });
  if (times.length === 0) return undefined;
  return { time: new Date(Math.max(...times)).toISOString(), isAtLeast: true };
}

/** Undefined = it may not be read, or it is no state of this version. */
function readState(path: string): LastKnown | undefined {
  const bytes = readLeftFile(path, STATE_BYTES_READ_MAX);
  const decoded = bytes && decodeState(bytes);
  if (decoded?.ok !== true || decoded.state.moment.unixMs > DATE_MS_MAX) return undefined;
  const { time, agents, final } = lastSeenInState(decoded.state);
  return { time, agents, isAtLeast: !final };
}
