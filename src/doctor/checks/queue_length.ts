// How many beats wait for the daemon while it is away for a moment (spec 05 section 4): the length
// of the queue is that of the network namespace, taken when the socket was made.
import { shellWord } from "../../base/shell_word.ts";
import { readlinkSync } from "node:fs";
import { readQueueLength } from "../../sockets/queue_length.ts";
import { check, type Finding, leftOut } from "../check.ts";
import { memberCount, type Place } from "../place.ts";
import { counted } from "../words.ts";

/** A restart takes less; what is sent meanwhile waits in the queue. */
const GAP_S = 0.4;
/** What the package sets: enough for most machines, and 512 small datagrams cost little. */
const LENGTH_SENSIBLE = 512;
/** Longer ones are not made: the kernel charges each sender for what it has in the queue. */
const LENGTH_MAX = 65_536;

interface QueueFacts {
  /** What the shortest queue holds, as it was made. */
  readonly holds: number;
  /** What a socket would hold that is made now; undefined = not known. */
  readonly setting: number | undefined;
  /** How often one was found full. */
  readonly full: number;
  readonly members: number;
  /** Known or expected. */
  readonly areExpected: boolean;
  readonly beatsPerS: number;
  readonly unit: string;
}

export const QUEUE_LENGTH = check<QueueFacts>({
  name: "queue_length",
  about: "`net.unix.max_dgram_qlen` of the daemon's network namespace against members and rates",
  gather: (place) => {
    const { daemon, config, unit, proc } = place;
    if (config?.listeners.every(({ kind }) => kind === "unix-stream") === true)
      return leftOut("a listener for datagrams");
    const own = readQueueLength(`${proc}/sys/net/unix/max_dgram_qlen`);
    const setting = isElsewhere(place) ? undefined : own;
    const queues = daemon?.own?.queues ?? [];
    const lengths = queues.flatMap(({ holds }) => holds ?? []);
    const holds = lengths.length > 0 ? Math.min(...lengths) : setting;
    if (holds === undefined) return leftOut("the network namespace of the daemon");
    const expected = (config?.agents ?? []).reduce((sum, { expect = 0 }) => sum + expect, 0);
    const known = daemon === undefined ? 0 : memberCount(daemon);
    const rates = (daemon?.agents ?? []).map(({ beatsPerS }) => beatsPerS);
    return {
      holds,
      setting,
      full: queues.reduce((sum, { full }) => sum + full, 0),
      members: Math.max(known, expected),
      areExpected: expected > known,
      beatsPerS: rates.reduce((sum, rate) => sum + rate, 0),
      unit: unit?.name.replace(/\.service$/, "") ?? "varta-watch",
    };
  },
  decide: queueFinding,
});

export function queueFinding(facts: QueueFacts): Finding | undefined {
  const { holds, setting, full } = facts;
  const inGap = Math.ceil(facts.beatsPerS * GAP_S);
  const needed = Math.min(LENGTH_MAX, Math.max(facts.members, inGap, full > 0 ? 2 * holds : 0));
  const length = 2 ** Math.ceil(Math.log2(Math.max(needed, LENGTH_SENSIBLE)));
  if (holds >= needed && holds >= LENGTH_SENSIBLE) return undefined;
  const isShort = holds < needed;
  const isSet = setting !== undefined && setting >= length;
  return {
    severity: isShort ? "fault" : "advice",
    found: `The receive queue holds ${holds} beats; ${whyMore(facts, inGap, isShort)}`,
    effect: isShort
      ? "Beats are lost when many come together: those agents look silent."
      : "It is enough for the members known now; 512 leave room for others.",
    fix: {
      run: [
        // A socket keeps the length that it was made with.
        ...(isSet
          ? []
          : [
              `echo net.unix.max_dgram_qlen=${length} > /etc/sysctl.d/60-varta.conf`,
              "sysctl -p /etc/sysctl.d/60-varta.conf",
            ]),
        `systemctl restart ${shellWord(facts.unit)}`,
      ],
    },
  };
}

function whyMore(facts: QueueFacts, inGap: number, isShort: boolean): string {
  const { full, members, areExpected } = facts;
  if (!isShort) return "more may come at once.";
  if (full > 0) return `it was found full ${counted(full, "time")}.`;
  if (inGap > members) return `${inGap} come while a restart takes ${GAP_S * 1_000}ms.`;
  return `${members} ${areExpected ? "expected " : ""}members may send at once.`;
}

/** Who may not look takes it for the same one, which it nearly always is. */
function isElsewhere({ proc, daemon }: Place): boolean {
  if (daemon === undefined) return false;
  try {
    const own = readlinkSync(`${proc}/self/ns/net`);
    return readlinkSync(`${proc}/${daemon.pid}/ns/net`) !== own;
  } catch {
    return false;
  }
}
