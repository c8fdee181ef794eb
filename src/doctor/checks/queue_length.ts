// How many beats wait for the daemon while it is away for a moment (spec 05 section 4): the length
// of the queue is that of the network namespace, taken when the socket was made.
import { readlinkSync } from "node:fs";
import { readQueueLength } from "../../sockets/queue_length.ts";
import { check, type Finding, leftOut } from "../check.ts";
import { memberCount, type Place } from "../place.ts";

/** A restart takes less; what is sent meanwhile waits in the queue. */
const GAP_S = 0.4;
/** What the package sets: enough for most machines, and 512 small datagrams cost little. */
const LENGTH_SENSIBLE = 512;
/** Longer ones are not made: the kernel charges each sender for what it has in the queue. */
const LENGTH_MAX = 65_536;

interface QueueFacts {
  readonly holds: number;
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
    const holds = readQueueLength(`${place.proc}/sys/net/unix/max_dgram_qlen`);
    if (holds === undefined) return leftOut("/proc/sys/net");
    if (isElsewhere(place)) return leftOut("the network namespace of the daemon");
    const { daemon, config, unit } = place;
    const expected = (config?.agents ?? []).reduce((sum, { expect = 0 }) => sum + expect, 0);
    const known = daemon === undefined ? 0 : memberCount(daemon);
    const rates = (daemon?.agents ?? []).map(({ beatsPerS }) => beatsPerS);
    return {
      holds,
      members: Math.max(known, expected),
      areExpected: expected > known,
      beatsPerS: rates.reduce((sum, rate) => sum + rate, 0),
      unit: unit?.name.replace(/\.service$/, "") ?? "varta-watch",
    };
  },
  decide: queueFinding,
});

export function queueFinding(facts: QueueFacts): Finding | undefined {
  const { holds, members, areExpected, beatsPerS, unit } = facts;
  const inGap = Math.ceil(beatsPerS * GAP_S);
  const needed = Math.max(members, inGap);
  if (holds >= Math.min(LENGTH_MAX, Math.max(needed, LENGTH_SENSIBLE))) return undefined;
  const isShort = holds < needed;
  if (!isShort && holds >= LENGTH_SENSIBLE) return undefined;
  const byRate = `${inGap} come while a restart takes ${GAP_S * 1_000}ms.`;
  const byMembers = `${members} ${areExpected ? "expected " : ""}members may send at once.`;
  const why = isShort ? (inGap > members ? byRate : byMembers) : "more may come at once.";
  const length = Math.min(LENGTH_MAX, 2 ** Math.ceil(Math.log2(Math.max(needed, LENGTH_SENSIBLE))));
  return {
    severity: isShort ? "fault" : "advice",
    found: `The receive queue holds ${holds} beats; ${why}`,
    effect: isShort
      ? "Beats are lost when many come together: those agents look silent."
      : "It is enough for the members known now; a package sets 512.",
    fix: {
      run: [
        `echo net.unix.max_dgram_qlen=${length} > /etc/sysctl.d/60-varta.conf`,
        "sysctl -p /etc/sysctl.d/60-varta.conf",
        `systemctl restart ${unit}`,
      ],
    },
  };
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
