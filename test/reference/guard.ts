// The guard as spec 12 section 10 says it, from the list of all that happened: slow and obvious.
import type { GuardSettings } from "../../src/observer/guard.ts";
import type { SelfBeat } from "../../src/observer/self_beat.ts";
import type { Fall } from "../../src/observer/silences.ts";
import { NS_PER_S } from "../../src/base/time.ts";

/** Five windows, whatever becomes of the self-beat. */
const WINDOWS_MAX = 5;
const WAIT_NS = 0.3 * NS_PER_S;

export class ReferenceGuard {
  /** Each time at which it became active or was over. */
  readonly told: string[] = [];
  since: number | undefined;
  #windowNs = 0;
  #restNs = Number.NEGATIVE_INFINITY;
  #silent: Fall[] = [];
  #longestNs = 0;
  #evidenceNs: number[] = [];
  #wasWeighed = false;
  readonly #settings: GuardSettings;
  readonly #selfBeat: SelfBeat;

  constructor(settings: GuardSettings, selfBeat: SelfBeat) {
    this.#settings = settings;
    this.#selfBeat = selfBeat;
  }

  holds(fall: Fall, beating: number): boolean {
    if (!this.#silent.some(({ key }) => key === fall.key)) {
      this.#silent.push(fall);
      this.#longestNs = Math.max(this.#longestNs, fall.thresholdNs);
    }
    if (this.since === undefined && !this.#wasWeighed) this.#weigh(fall.atNs, beating);
    return this.since !== undefined;
  }

  returned(key: number): void {
    this.#keep((each) => each.key !== key);
  }

  saw(nowNs: number): void {
    this.#evidenceNs.push(nowNs);
  }

  look(nowNs: number, beating: number): void {
    if (this.since === undefined) {
      const reachNs = Math.max(this.#settings.windowNs ?? 0, this.#longestNs);
      this.#keep(({ atNs }) => nowNs - atNs <= reachNs);
      this.#weigh(nowNs, beating);
      this.#wasWeighed = false;
      return;
    }
    const endNs = this.since + WINDOWS_MAX * this.#windowNs;
    const doubtNs = this.#doubtNs();
    const beat = this.#selfBeat;
    const isHearing = !beat.isKept || (beat.sentNs >= doubtNs && beat.tookNs <= this.#windowNs / 4);
    const isDue = nowNs >= Math.min(endNs, doubtNs + this.#windowNs);
    if (this.#silent.length === 0) this.#over("back", nowNs);
    else if (isDue && isHearing) this.#over("judged", nowNs);
    else if (nowNs >= endNs) this.#over("longest", nowNs);
  }

  /** When it may be over without a beat at the earliest. */
  nextDeadlineNs(nowNs: number): number {
    if (this.since === undefined) return Number.POSITIVE_INFINITY;
    const endNs = this.since + WINDOWS_MAX * this.#windowNs;
    const untilNs = Math.min(this.#doubtNs() + this.#windowNs, endNs);
    return nowNs < untilNs ? untilNs : endNs;
  }

  /** When the recovery of a stall may begin that was found then. */
  recoveryNs(foundNs: number, members: number): number {
    if (this.since !== undefined) return Number.POSITIVE_INFINITY;
    const mayBegin = members >= this.#settings.membersMin && foundNs >= this.#restNs;
    return mayBegin ? foundNs + WAIT_NS : foundNs;
  }

  #doubtNs(): number {
    return this.#evidenceNs.reduce((last, ns) => Math.max(last, ns), this.since!);
  }

  /** As long as somebody is silent, the longest threshold of all that were stays the reach. */
  #keep(isKept: (fall: Fall) => boolean): void {
    this.#silent = this.#silent.filter(isKept);
    if (this.#silent.length === 0) this.#longestNs = 0;
  }

  #weigh(nowNs: number, beating: number): void {
    const { share, membersMin } = this.#settings;
    const age = ({ atNs }: Fall): number => nowNs - atNs;
    const own = this.#silent.filter((fall) => age(fall) <= fall.thresholdNs);
    const windowNs =
      this.#settings.windowNs ?? Math.max(0, ...own.map(({ thresholdNs }) => thresholdNs));
    const silent = this.#silent.filter((fall) => age(fall) <= windowNs);
    const members = silent.length + beating;
    if (nowNs < this.#restNs) return;
    // It was tried in vain where all the silent together, however long, were enough.
    const all = this.#silent.length;
    if (all + beating >= membersMin && all > share * (all + beating)) this.#wasWeighed = true;
    const uids = new Set(silent.filter(({ isRuled }) => !isRuled).map(({ uid }) => uid));
    let weight = silent.length;
    for (const uid of uids) {
      const own = silent.filter((fall) => !fall.isRuled && Object.is(fall.uid, uid)).length;
      const others = silent.length - own;
      weight = Math.min(weight, others + Math.min(own, others));
    }
    if (members < membersMin || !(weight > share * members)) return;
    this.since = nowNs;
    this.#windowNs = windowNs;
    this.told.push(`active ${nowNs} ${silent.length}/${members} ${windowNs}`);
  }

  #over(end: string, nowNs: number): void {
    this.told.push(`over ${nowNs} ${end} ${nowNs - this.since!} ${this.#silent.length}`);
    this.since = undefined;
    this.#restNs = nowNs + Math.max(60 * NS_PER_S, 10 * this.#windowNs);
  }
}
