// Sends the beats of the daemon to itself (spec 12 section 9): once a second to each listener, as
// an agent would, by sockets of its own. What comes of them is told once, when it changes.
import { randomBytes } from "node:crypto";
import { EACCES, EAGAIN, EPERM, SOCK_DGRAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { close, openSocket, type SocketAddress, sendTo } from "../../ffi/socket.ts";
import { msFromNs, NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Listener } from "../listener/listener.ts";
import type { Guard } from "../observer/guard.ts";
import { SELF_BEAT_LATE_NS, SelfBeats } from "../observer/self_beats.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";
import { monotonicNs } from "./monotonic.ts";
import type { Parts } from "./parts.ts";

const PERIOD_NS = NS_PER_S;
/** After a full queue, which has room again as soon as the loop has read it. */
const RETRY_NS = 50 * NS_PER_MS;

interface SelfBeatSenderOptions {
  readonly beats: SelfBeats;
  /** In force, by number. */
  readonly numbers: () => readonly number[];
  readonly listenerOf: (number: number) => Target;
  /** What waits for one while it is active; undefined = there is none. */
  readonly guard?: Pick<Guard, "lookPeriodNs"> | undefined;
  readonly log: Pick<Log, "info" | "warn">;
}

type Target = Pick<Listener, "name" | "ownAddress" | "fd">;

/** A listener as it was at the last round. */
interface Known {
  readonly listener: Target;
  fd: number;
  /** What was last told of it. */
  told: "well" | "late" | "impossible";
  /** How many had come round then. */
  rounds: number;
  /** Why the last one to it did not leave; "" = it left. */
  reason: string;
}

/** Those of this process. */
export function makeSelfBeats(): SelfBeats {
  const random = (): number => randomBytes(4).readUInt32LE();
  return new SelfBeats({ pid: process.pid, uid: effectiveUid(), random, monotonicNs });
}

/** To the listeners of `observer`, also those that a reload opens. */
export function makeSelfBeatSender(
  parts: Pick<Parts, "observer" | "selfBeats" | "log">,
): SelfBeatSender {
  const { observer, selfBeats, log } = parts;
  return new SelfBeatSender({
    beats: selfBeats,
    numbers: () => observer.listenersInForce,
    listenerOf: (number) => observer.listeners[number]!,
    guard: observer.silence.guarded?.guard,
    log,
  });
}

export class SelfBeatSender implements Deadline {
  readonly #options: SelfBeatSenderOptions;
  #dueNs = 0;
  #sentNs = 0;
  /** By address family: opened when it is needed, closed when no listener has it any more. */
  readonly #sockets = new Map<number, number>();
  readonly #known = new Map<number, Known>();

  constructor(options: SelfBeatSenderOptions) {
    this.#options = options;
  }

  nextDeadlineNs(): number {
    // Whoever is held is not to wait for a second because the guard does.
    const periodNs = this.#options.guard?.lookPeriodNs ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#dueNs, this.#sentNs + periodNs);
  }

  maintain(nowNs: number): void {
    if (nowNs < this.nextDeadlineNs()) return;
    this.#sentNs = nowNs;
    this.#dueNs = nowNs + PERIOD_NS;
    const { beats, listenerOf, numbers } = this.#options;
    beats.keepOnly(numbers());
    for (const number of numbers()) {
      const listener = listenerOf(number);
      const address = listener.ownAddress;
      if (address === undefined) continue;
      const known = this.#know(number, listener);
      const result = this.#send(number, address, known);
      if (result === -EAGAIN) this.#dueNs = nowNs + RETRY_NS;
      this.#tell(number, known, isForbidden(result));
    }
    this.#closeUnused();
  }

  // A reload may have put another one in its place, or given it another socket: what was under way
  // to the one before may never come.
  #know(number: number, listener: Target): Known {
    let known = this.#known.get(number);
    const isSame = known?.listener === listener;
    if (isSame && known!.fd === listener.fd) return known!;
    const { beats } = this.#options;
    if (isSame) beats.giveUp(number);
    else if (known !== undefined) beats.beginAnew(number);
    if (!isSame) known = { listener, fd: listener.fd, told: "well", rounds: 0, reason: "" };
    known!.fd = listener.fd;
    this.#known.set(number, known!);
    return known!;
  }

  /** Idempotent. */
  close(): void {
    for (const fd of this.#sockets.values()) close(fd);
    this.#sockets.clear();
    this.#dueNs = Number.POSITIVE_INFINITY;
    this.#sentNs = Number.POSITIVE_INFINITY;
  }

  /** Not negative, or -errno. */
  #send(number: number, address: SocketAddress, known: Known): number {
    const { beats } = this.#options;
    const frame = beats.begin(number);
    if (frame === undefined) return 0;
    const fd = this.#socketOf(address.family);
    const result = fd < 0 ? fd : sendTo(fd, frame, address);
    known.reason = result < 0 ? errnoText(-result) : "";
    if (isForbidden(result)) beats.impossible(number);
    else if (result < 0) beats.refused(number);
    return result;
  }

  #socketOf(family: number): number {
    let fd = this.#sockets.get(family);
    if (fd !== undefined) return fd;
    fd = openSocket(family, SOCK_DGRAM);
    if (fd >= 0) this.#sockets.set(family, fd);
    return fd;
  }

  /** Those of a family that no listener has any more: a reload leaves no descriptor. */
  #closeUnused(): void {
    const { listenerOf, numbers } = this.#options;
    for (const [family, fd] of this.#sockets) {
      if (numbers().some((number) => listenerOf(number).ownAddress?.family === family)) continue;
      close(fd);
      this.#sockets.delete(family);
    }
  }

  #tell(number: number, known: Known, isImpossible: boolean): void {
    const { beats, log } = this.#options;
    const { told, reason } = known;
    const listener = known.listener.name;
    const waitedNs = beats.waitedNs(number);
    const rounds = beats.rounds(number);
    let state = told;
    if (isImpossible) state = "impossible";
    else if (waitedNs >= SELF_BEAT_LATE_NS) state = "late";
    else if (rounds > known.rounds) state = "well";
    known.rounds = rounds;
    if (state === told) return;
    known.told = state;
    if (state === "impossible")
      log.warn("self-beat not possible", {
        listener,
        reason,
        effect: "whether beats get through this listener is not tried",
      });
    else if (state === "late")
      log.warn("self-beat missing", {
        listener,
        for_ms: Math.round(msFromNs(waitedNs)),
        reason: reason === "" ? "it was sent, and never received" : reason,
        effect: "beats of agents may not get through either; /-/healthy says stale",
      });
    else log.info("self-beat is back", { listener });
  }
}

function isForbidden(result: number): boolean {
  return result === -EACCES || result === -EPERM;
}
