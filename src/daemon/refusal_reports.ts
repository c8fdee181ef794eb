// What a person reads about refused datagrams: a sender cannot know that it is refused, so the log
// says it. One line at once for each reason and listener, then at most one a minute with the number
// in between, however many there are (spec 12 section 7).
import { LISTENERS_MAX } from "../base/limits.ts";
import { NS_PER_S } from "../base/time.ts";
import { REFUSAL_COUNT, REFUSALS, type Refusals } from "../events/refusals.ts";
import type { Listener } from "../listener/listener.ts";
import type { RefusedDatagram } from "../view/explain_view.ts";
import type { Log } from "./log.ts";
import type { Deadline } from "./deadline.ts";
import type { RefusedBeats } from "../view/status_view.ts";
import {
  isFromContainer,
  type RefusedExample,
  refusalCause,
  refusalHint,
} from "./refusal_texts.ts";

interface RefusalReportsOptions {
  readonly log: Log;
  readonly refusals: Refusals;
  readonly listeners: readonly Listener[];
  readonly trackerCapacity: () => number;
  /** The daemon takes hellos and byes. */
  readonly takesControl: boolean;
  /** Pid of a process in its own namespace; NaN = unknown. */
  readonly innermostPid: (pid: number) => number;
  /** No process has the pid any more; undefined = that is not looked at. */
  readonly isGone?: ((pid: number) => boolean) | undefined;
}

const LINE_NS_MIN = 60 * NS_PER_S;
const NEVER = Number.POSITIVE_INFINITY;

export class RefusalReports implements Deadline {
  readonly #options: RefusalReportsOptions;
  /**
   * By listener number x REFUSAL_COUNT + refusal: how many were logged, and when the last line was
   * written.
   */
  readonly #told = new Float64Array(LISTENERS_MAX * REFUSAL_COUNT);
  readonly #toldNs = new Float64Array(LISTENERS_MAX * REFUSAL_COUNT).fill(-NEVER);
  #seen = 0;
  #nextNs = NEVER;

  constructor(options: RefusalReportsOptions) {
    this.#options = options;
  }

  /** To be called after every turn; true if a line was written. */
  look(nowNs: number): boolean {
    const { total } = this.#options.refusals;
    if (total === this.#seen && nowNs < this.#nextNs) return false;
    this.#seen = total;
    return this.#tellAll(nowNs, LINE_NS_MIN);
  }

  /** The last refused datagrams, where they were of this sender. */
  ofSender(pid: number): RefusedDatagram[] {
    const { refusals, listeners } = this.#options;
    const found: RefusedDatagram[] = [];
    for (let at = 0; at < listeners.length * REFUSAL_COUNT; at++) {
      if (refusals.counts[at]! === 0) continue;
      const isIts = refusals.peerPid[at] === pid || refusals.framePid[at] === pid;
      if (!isIts) continue;
      const reason = REFUSALS[at % REFUSAL_COUNT]!;
      const listener = listeners[Math.floor(at / REFUSAL_COUNT)]!;
      const example = this.#example(at, listener);
      const cause = refusalCause(reason, example);
      found.push({ reason, listener: listener.name, cause, hint: refusalHint(reason, example) });
    }
    return found;
  }

  nextDeadlineNs(): number {
    return this.#nextNs;
  }

  maintain(nowNs: number): void {
    this.look(nowNs);
  }

  /** What was refused most often since the start, and the last datagram of it; null = nothing. */
  mostFrequent(): RefusedBeats | null {
    const { refusals, listeners } = this.#options;
    const counts = refusals.counts.subarray(0, listeners.length * REFUSAL_COUNT);
    const count = Math.max(0, ...counts);
    if (count === 0) return null;
    const at = counts.indexOf(count);
    const reason = REFUSALS[at % REFUSAL_COUNT]!;
    const listener = listeners[Math.floor(at / REFUSAL_COUNT)]!;
    const example = this.#example(at, listener);
    const { framePid, peerPid } = example;
    return {
      count,
      reason,
      listener: listener.name,
      claimed_pid: framePid || null,
      pid: peerPid || null,
      cause: refusalCause(reason, example),
      hint: refusalHint(reason, example),
      in_container: isFromContainer(reason, example),
    };
  }

  /** Logs what no line has yet: the daemon stops. */
  flush(nowNs: number): void {
    this.#tellAll(nowNs, 0);
  }

  #tellAll(nowNs: number, lineNsMin: number): boolean {
    const { refusals, listeners } = this.#options;
    const { counts } = refusals;
    const places = listeners.length * REFUSAL_COUNT;
    let hasTold = false;
    this.#nextNs = NEVER;
    for (let at = 0; at < places; at++) {
      if (counts[at]! === this.#told[at]!) continue;
      const dueNs = this.#toldNs[at]! + lineNsMin;
      if (nowNs >= dueNs) {
        this.#tell(at, nowNs);
        hasTold = true;
      } else if (dueNs < this.#nextNs) this.#nextNs = dueNs;
    }
    return hasTold;
  }

  #tell(at: number, nowNs: number): void {
    const { log, refusals, listeners } = this.#options;
    const refusal = REFUSALS[at % REFUSAL_COUNT]!;
    const listener = listeners[Math.floor(at / REFUSAL_COUNT)]!;
    const example = this.#example(at, listener);
    const count = refusals.counts[at]! - this.#told[at]!;
    const { framePid, peerPid, peerUid } = example;
    const isFirst = this.#toldNs[at] === -NEVER;
    log.warn("beats refused", {
      pid: framePid || undefined,
      listener: listener.name,
      reason: refusal,
      cause: refusalCause(refusal, example),
      count,
      sender_pid: peerPid || undefined,
      sender_uid: peerPid === 0 ? undefined : peerUid,
      since_s: isFirst ? undefined : Math.round((nowNs - this.#toldNs[at]!) / NS_PER_S),
      hint: refusalHint(refusal, example),
    });
    this.#told[at] = refusals.counts[at]!;
    this.#toldNs[at] = nowNs;
  }

  #example(at: number, { kind, containers = false }: Listener): RefusedExample {
    const { refusals, trackerCapacity, takesControl, innermostPid, isGone } = this.#options;
    const peerPid = refusals.peerPid[at]!;
    const framePid = refusals.framePid[at]!;
    const isOther = peerPid !== 0 && framePid !== 0 && peerPid !== framePid;
    return {
      kind,
      containers,
      takesControl,
      framePid,
      peerPid,
      peerUid: refusals.peerUid[at]!,
      detail: refusals.detail[at]!,
      hasEnded: peerPid !== 0 && isGone?.(peerPid) === true,
      innermostPid: isOther ? innermostPid(peerPid) : Number.NaN,
      trackerCapacity: trackerCapacity(),
    };
  }
}
