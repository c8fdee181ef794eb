// A simulated agent: a process that beats at its own period below the threshold, until something
// happens to it.
import type { FrameFields } from "./frames.ts";
import type { Credentials } from "./network.ts";

/**
 * How the daemon sees the sender. "translated": in a pid namespace where it has another number.
 * "contained": in such a one, whose number it states; its pid is the kernel's.
 * "invisible": in one that the kernel cannot name to the daemon. "network": over UDP. "squatter":
 * over UDP under the pid of another agent.
 */
export type AgentKind =
  | "attested"
  | "foreign"
  | "translated"
  | "contained"
  | "invisible"
  | "network"
  | "squatter";

export class Agent {
  readonly number: number;
  kind: AgentKind = "attested";
  pid = 0;
  /** Number of the link that it sends to. */
  link = 0;
  state: "running" | "frozen" | "dead" = "dead";
  /** True time at which a frozen agent thaws or a dead one is started again. */
  wakesNs = 0;
  nextBeatNs = 0;
  periodNs = 1;
  nonce = 0n;
  /** Arrival of its last datagram: a unix socket keeps the order of one sender. */
  lastArrivalNs = 0;
  last: FrameFields | undefined = undefined;

  constructor(number: number) {
    this.number = number;
  }

  get isOnUnix(): boolean {
    return this.kind !== "network" && this.kind !== "squatter";
  }

  /** What the kernel says about the sender of a datagram on a unix socket. */
  credentials(uid: number, gid: number): Credentials | undefined {
    switch (this.kind) {
      case "attested":
      case "foreign":
      case "contained":
        return { pid: this.pid, uid, gid };
      case "translated":
        return { pid: this.pid + 1, uid, gid };
      case "invisible":
        return { pid: 0, uid: 65_534, gid: 65_534 };
      default:
        return undefined;
    }
  }
}
