// Whether silence is the observer's own fault first (spec 12 section 10): when more than a share of
// its members fall silent at once, none is judged until a beat of its own went round and one more
// threshold has passed. It decides and does nothing; it always ends; nobody can keep it active.
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { SelfBeat } from "./self_beat.ts";
import { type Fall, Silences } from "./silences.ts";

export interface GuardSettings {
  readonly isOn: boolean;
  /** More than this of the members that are present, 0 to 1. */
  readonly share: number;
  /** With fewer members it is never active. */
  readonly membersMin: number;
  /** Within which they fall silent; undefined = the largest threshold of the silent. */
  readonly windowNs: number | undefined;
}

/** What speaks for the observer's own fault. */
export type GuardEvidenceWord =
  | "paused"
  | "queue_full"
  | "refused_sends"
  | "full_pipe"
  | "restarted";

export interface GuardView {
  readonly sinceNs: number;
  /** When it became active: so many of so many members, within the window. */
  readonly silent: number;
  readonly members: number;
  readonly windowNs: number;
  /** None is judged before. */
  readonly untilNs: number;
  /** The last that was seen since the window before it became active; undefined = none. */
  readonly evidence: GuardEvidenceWord | undefined;
}

/** `back`: all beat again. `judged`: it is theirs. `longest`: no proof came, and it has to end. */
/** Of the guard of a daemon, for the next one. */
export interface GuardMemory {
  readonly isActive: boolean;
  readonly sinceNs: number;
  readonly windowNs: number;
  readonly silent: number;
  readonly members: number;
  /** It does not become active before; NaN = it may at any time. */
  readonly restNs: number;
}

type GuardEnd = "back" | "judged" | "longest" | "off";

export type GuardChange =
  | { readonly kind: "active"; readonly atNs: number; readonly view: GuardView }
  | {
      readonly kind: "over";
      readonly atNs: number;
      readonly tookNs: number;
      /** Still silent: they are judged now. */
      readonly silent: number;
      readonly end: GuardEnd;
      /** The last that was seen since the window in which it became active. */
      readonly evidence: GuardEvidenceWord | undefined;
    };

/** While many may fall silent, a recovery waits so long for the others. */
const RECOVERY_WAIT_NS = 300 * NS_PER_MS;
/** It ends after so many windows, whatever becomes of the self-beat. */
export const GUARD_WINDOWS_MAX = 5;
/** It does not become active again for so long: who can bring it about cannot keep it up. */
const REST_NS_MIN = 60 * NS_PER_S;
const REST_WINDOWS = 10;
/** A self-beat is in time within this part of the window, as a gap that is no pause. */
const IN_TIME_PART = 1 / 4;
/** What was lost then shows as a silence one threshold later, and that may be a window ago. */
const EVIDENCE_WINDOWS = 2;
/** Whoever looks for proof or evidence more often than that only makes work. */
const LOOK_NS_MIN = 5 * NS_PER_MS;

const NOBODY_SILENT = { sinceNs: 0, windowNs: 0, silent: 0, members: 0 };

export class Guard {
  /** What became of it and was not told yet; whoever tells it empties it. */
  readonly changes: GuardChange[] = [];
  #settings: GuardSettings;
  readonly #selfBeat: SelfBeat;
  readonly #silences = new Silences();
  #active: GuardView | undefined;
  /** From when on its windows count: since it is active, or a little after the start. */
  #fromNs = Number.NEGATIVE_INFINITY;
  /** It was so before the start, and not all who were silent can be known yet. */
  #isRestored = false;
  /** Times that it became active or was over. */
  transitions = 0;
  /** It does not become active before. */
  #restNs = Number.NEGATIVE_INFINITY;
  #evidence: GuardEvidenceWord | undefined;
  #evidenceNs = Number.NEGATIVE_INFINITY;
  /** They were weighed in vain since the last `look`: a judge point does that once. */
  #isWeighed = false;

  constructor(settings: GuardSettings, selfBeat: SelfBeat) {
    this.#settings = settings;
    this.#selfBeat = selfBeat;
  }

  /** Undefined while it is not active. */
  get view(): GuardView | undefined {
    return this.#active;
  }

  get isActive(): boolean {
    return this.#active !== undefined;
  }

  /**
   * While it is active, how often to look whether it still is to be: it is not to last longer than
   * one window because of who looks. +Infinity while it is not.
   */
  get lookPeriodNs(): number {
    if (this.#active === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(LOOK_NS_MIN, this.#active.windowNs * IN_TIME_PART);
  }

  /** Other settings; those of one that is active stay as they were, unless it is switched off. */
  change(settings: GuardSettings, nowNs: number): void {
    this.#settings = settings;
    if (!settings.isOn) this.#end("off", nowNs);
  }

  /** What the next daemon has to know; undefined = nothing. */
  memory(nowNs: number): GuardMemory | undefined {
    const isActive = this.#active !== undefined;
    if (!isActive && this.#restNs <= nowNs) return undefined;
    const { sinceNs, windowNs, silent, members } = this.#active ?? NOBODY_SILENT;
    const restNs = Number.isFinite(this.#restNs) ? this.#restNs : Number.NaN;
    return { isActive, sinceNs, windowNs, silent, members, restNs };
  }

  /**
   * The daemon before this one ended with that, and this one began at `startNs`. Who was silent
   * has one threshold from then and falls silent again, or beats: the guard stays active for that,
   * and a quarter of a window more. No window is longer than `windowNsMax`.
   */
  restore(memory: GuardMemory, startNs: number, windowNsMax: number): void {
    const { isActive, sinceNs, restNs, silent, members } = memory;
    if (!this.#settings.isOn) return;
    const restNsMax = startNs + restLengthNs(windowNsMax);
    if (restNs > startNs) this.#restNs = Math.min(restNs, restNsMax);
    const windowNs = Math.min(memory.windowNs, windowNsMax);
    if (!isActive || !(windowNs > 0)) return;
    this.#fromNs = startNs + windowNs * IN_TIME_PART;
    this.#isRestored = true;
    const untilNs = this.#untilNs(windowNs);
    this.#active = { sinceNs, windowNs, silent, members, untilNs, evidence: this.#evidence };
  }

  /**
   * A member is silent for its threshold, its end is not known, and `beating` others are present
   * and not silent. True: it is held, not judged.
   */
  holds(fall: Fall, beating: number): boolean {
    if (!this.#settings.isOn) return false;
    // It is asked again for one that it held: that is no new fall.
    if (!this.#silences.has(fall.key)) this.#silences.add(fall);
    if (!this.isActive && !this.#isWeighed) this.#weigh(fall.atNs, beating);
    return this.isActive;
  }

  /** A member is silent no more: it beat, its end is known, or it left. */
  returned(key: number): void {
    this.#silences.remove(key);
  }

  /** Something that is the observer's own fault was seen at `nowNs`. */
  saw(evidence: GuardEvidenceWord, nowNs: number): void {
    this.#evidence = evidence;
    this.#evidenceNs = nowNs;
    if (this.#active === undefined) return;
    this.#active = { ...this.#active, evidence, untilNs: this.#untilNs(this.#active.windowNs) };
  }

  /** At each judge point, before it judges; `beating` members are present and not silent. */
  look(nowNs: number, beating: number): void {
    if (this.#active === undefined) {
      // Nearly always nobody is silent, and then nothing is allocated.
      if (this.#silences.count > 0) this.#lookAtSilent(nowNs, beating);
      this.#isWeighed = false;
      return;
    }
    const { untilNs } = this.#active;
    const isBack = this.#silences.count === 0 && (!this.#isRestored || nowNs >= untilNs);
    if (isBack) this.#end("back", nowNs);
    else if (nowNs >= untilNs && this.#isHearing()) this.#end("judged", nowNs);
    else if (nowNs >= this.#endNs(this.#active.windowNs)) this.#end("longest", nowNs);
  }

  /** When a look may change something without a beat at the earliest; +Infinity = never. */
  nextDeadlineNs(nowNs: number): number {
    if (this.#active === undefined) return Number.POSITIVE_INFINITY;
    const { windowNs, untilNs } = this.#active;
    const endNs = this.#endNs(windowNs);
    // A self-beat that comes round wakes the observer by itself.
    return nowNs < untilNs ? Math.min(untilNs, endNs) : endNs;
  }

  /**
   * Before when no recovery may begin of a stall that was found at `foundNs`, where `members` are
   * present; +Infinity = that is not known yet.
   */
  recoveryNs(foundNs: number, members: number): number {
    const { isOn, membersMin } = this.#settings;
    if (this.isActive) return Number.POSITIVE_INFINITY;
    const mayRise = isOn && members >= membersMin && foundNs >= this.#restNs;
    return mayRise ? foundNs + RECOVERY_WAIT_NS : foundNs;
  }

  #lookAtSilent(nowNs: number, beating: number): void {
    this.#silences.expire(nowNs, this.#settings.windowNs);
    if (this.#settings.isOn) this.#weigh(nowNs, beating);
  }

  #weigh(nowNs: number, beating: number): void {
    const { share, membersMin } = this.#settings;
    const { count: silentMax } = this.#silences;
    if (nowNs < this.#restNs || silentMax + beating < membersMin) return;
    // Without weights it would be more than enough: what is not even that needs no weighing.
    if (silentMax * (1 - share) <= share * beating) return;
    this.#isWeighed = true;
    const { windowNs, count, weight } = this.#silences.weigh(nowNs, this.#settings.windowNs);
    const members = count + beating;
    if (members < membersMin || weight <= share * members) return;
    if (nowNs - this.#evidenceNs > EVIDENCE_WINDOWS * windowNs) this.#evidence = undefined;
    this.#fromNs = nowNs;
    this.#isRestored = false;
    this.transitions += 1;
    const untilNs = this.#untilNs(windowNs);
    const began = { sinceNs: nowNs, windowNs, silent: count, members };
    this.#active = { ...began, untilNs, evidence: this.#evidence };
    this.changes.push({ kind: "active", atNs: nowNs, view: this.#active });
  }

  /** One more window after it began, or after the last evidence; but never too long. */
  #untilNs(windowNs: number): number {
    const fromNs = Math.max(this.#fromNs, this.#evidenceNs);
    return Math.min(fromNs + windowNs, this.#endNs(windowNs));
  }

  #endNs(windowNs: number): number {
    return this.#fromNs + GUARD_WINDOWS_MAX * windowNs;
  }

  /** A beat of its own went round in time, after all that speaks against the observer. */
  #isHearing(): boolean {
    const { windowNs } = this.#active!;
    const { isKept, sentNs, tookNs } = this.#selfBeat;
    if (!isKept) return true;
    return sentNs >= Math.max(this.#fromNs, this.#evidenceNs) && tookNs <= windowNs * IN_TIME_PART;
  }

  #end(end: GuardEnd, nowNs: number): void {
    if (this.#active === undefined) return;
    const { sinceNs, windowNs } = this.#active;
    const silent = this.#silences.count;
    this.#active = undefined;
    this.transitions += 1;
    this.#restNs = nowNs + restLengthNs(windowNs);
    const [tookNs, evidence] = [nowNs - sinceNs, this.#evidence];
    this.changes.push({ kind: "over", atNs: nowNs, tookNs, silent, end, evidence });
  }
}

function restLengthNs(windowNs: number): number {
  return Math.max(REST_NS_MIN, REST_WINDOWS * windowNs);
}
