// Sends the beats of the daemon to itself (spec 12 section 9): once a second to each listener, as
// an agent would, by sockets of its own. What comes of them is told once, when it changes.
import { randomBytes } from "node:crypto";
import { EACCES, EAGAIN, EPERM, SOCK_DGRAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { close, openSocket, type SocketAddress, sendTo } from "../../ffi/socket.ts";
import { msFromNs, NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Listener } from "../listener/listener.ts";
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
  readonly listenerOf: (number: number) => Pick<Listener, "name" | "ownAddress">;
  readonly log: Pick<Log, "info" | "warn">;
}

/** Of a listener, as it was last told. */
type Told = "well" | "late" | "impossible";

/** Those of this process. */
export function makeSelfBeats(): SelfBeats {
  const random = (): number => randomBytes(4).readUInt32LE();
  return new SelfBeats({ pid: process.pid, random, monotonicNs });
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
    log,
  });
}

export class SelfBeatSender implements Deadline {
  readonly #options: SelfBeatSenderOptions;
  #dueNs = 0;
  /** By address family: opened when it is needed. */
  readonly #sockets = new Map<number, number>();
  readonly #told = new Map<number, Told>();
  /** Why the last one to a listener did not leave; "" = it left. */
  readonly #reasons = new Map<number, string>();

  constructor(options: SelfBeatSenderOptions) {
    this.#options = options;
  }

  nextDeadlineNs(): number {
    return this.#dueNs;
  }

  maintain(nowNs: number): void {
    if (nowNs < this.#dueNs) return;
    this.#dueNs = nowNs + PERIOD_NS;
    const { beats, listenerOf, numbers } = this.#options;
    beats.keepOnly(numbers());
    for (const number of numbers()) {
      const { name, ownAddress } = listenerOf(number);
      if (ownAddress === undefined) continue;
      const result = this.#send(number, ownAddress);
      if (result === -EAGAIN) this.#dueNs = nowNs + RETRY_NS;
      this.#tell(number, name, result === -EACCES || result === -EPERM);
    }
  }

  /** Idempotent. */
  close(): void {
    for (const fd of this.#sockets.values()) close(fd);
    this.#sockets.clear();
    this.#dueNs = Number.POSITIVE_INFINITY;
  }

  /** Not negative, or -errno. */
  #send(number: number, address: SocketAddress): number {
    const { beats } = this.#options;
    const frame = beats.begin(number);
    if (frame === undefined) return 0;
    const fd = this.#socketOf(address.family);
    const result = fd < 0 ? fd : sendTo(fd, frame, address);
    this.#reasons.set(number, result < 0 ? errnoText(-result) : "");
    if (result === -EACCES || result === -EPERM) beats.impossible(number);
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

  #tell(number: number, listener: string, isImpossible: boolean): void {
    const { beats, log } = this.#options;
    const waitedNs = beats.waitedNs(number);
    const isLate = waitedNs >= SELF_BEAT_LATE_NS;
    const state: Told = isImpossible ? "impossible" : isLate ? "late" : "well";
    const before = this.#told.get(number) ?? "well";
    if (state === before) return;
    // One that is under way says nothing yet.
    if (state === "well" && waitedNs > 0) return;
    this.#told.set(number, state);
    const reason = this.#reasons.get(number)!;
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
