// Stalls of muted agents (spec 16 section 8.2): each is kept until its mute is over, and is then
// reported, if it was not before, and decided as if it had been found just now. One that is no
// stall any more by then, or whose member was replaced, is dropped. One entry for each member, and
// what is released is looked at some at a time.
import { RECOVERY_EVALUATIONS_PER_TURN_MAX } from "../base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { HeldWord } from "../events/held_words.ts";
import type { DecisionReason } from "../events/outcome_words.ts";
import type { Stall } from "../events/stall.ts";
import type { AgentHost } from "./agent_host.ts";
import { type Freshness, stalenessReason } from "./checks.ts";
import type { Room } from "./history.ts";
import type { Newcomer } from "./successors.ts";

export type IsMuted = (stall: Stall, nowNs: number) => boolean;

interface HeldStall {
  readonly stall: Stall;
  /** It was reported before its agent was muted. */
  readonly isTold: boolean;
  /** It is let go no sooner. */
  readonly fromNs: number;
}

interface HeldStallsOptions {
  /** At most so many members are kept: those of the tracker. */
  readonly room: Room;
  /** Undefined = nobody is ever muted. */
  readonly isMuted: IsMuted | undefined;
  readonly host: Pick<AgentHost, "isAlive">;
  readonly freshness: Freshness;
  /** Nothing is done about it now. */
  readonly refused: (stall: Stall, reason: DecisionReason, nowNs: number) => void;
}

export class HeldStalls {
  readonly #options: HeldStallsOptions;
  /** By the key of the tracker. */
  readonly #byKey = new Map<number, HeldStall>();
  /** Keys that are to be asked for, since a mute is over. */
  #toAsk: number[] = [];
  #released: HeldStall[] = [];
  /** When all are asked for by themselves. */
  #askNs = Number.POSITIVE_INFINITY;
  #isShut = false;

  constructor(options: HeldStallsOptions) {
    this.#options = options;
  }

  /** The stall of the member waits for the end of a mute. */
  has(key: number): boolean {
    return this.#byKey.has(key);
  }

  /** What the next daemon has to know of the stall of a member. */
  wordOf(key: number): HeldWord {
    const held = this.#byKey.get(key);
    return held === undefined ? "" : held.isTold ? "told" : "untold";
  }

  /**
   * The daemon before this one held it, or had not decided it: it is asked for at `fromNs`, since
   * the mute may be over. If it came back after the state was written, a beat has shown that by
   * then.
   */
  restore(stall: Stall, isTold: boolean, fromNs: number): void {
    if (this.#byKey.size >= this.#options.room.capacity) return;
    this.#byKey.set(stall.key, { stall, isTold, fromNs });
    this.#askNs = Math.min(this.#askNs, fromNs);
  }

  /** `hold()` would keep it. */
  isMuted(stall: Stall, nowNs: number): boolean {
    return !this.#isShut && this.#options.isMuted?.(stall, nowNs) === true;
  }

  /**
   * Keeps a stall of a muted agent until the mute is over; false = it is not muted. `isTold`: it
   * was reported before.
   */
  hold(stall: Stall, isTold: boolean, nowNs: number): boolean {
    const { room, refused } = this.#options;
    // An earlier process of that pid has ended.
    const known = this.#byKey.get(stall.key);
    if (known !== undefined && !Object.is(known.stall.generation, stall.generation))
      this.#byKey.delete(stall.key);
    if (!this.isMuted(stall, nowNs)) return false;
    const before = this.#byKey.get(stall.key);
    if (before === undefined && this.#byKey.size >= room.capacity) {
      refused(stall, "outstanding_capacity", nowNs);
      return true;
    }
    this.#byKey.set(stall.key, { stall, isTold, fromNs: Number.NEGATIVE_INFINITY });
    refused(stall, "muted", nowNs);
    return true;
  }

  /** It beats again, or is forgotten. */
  drop(key: number): void {
    this.#byKey.delete(key);
  }

  /** Those that are muted no more, and were not reported yet. */
  untold(nowNs: number): Stall[] {
    const held = [...this.#byKey.values()];
    return held.flatMap(({ stall, isTold }) =>
      isTold || this.isMuted(stall, nowNs) ? [] : [stall],
    );
  }

  /** Nothing is held or let go any more. What is held stays: the next daemon goes on with it. */
  shut(): void {
    this.#isShut = true;
    this.#askNs = Number.POSITIVE_INFINITY;
    this.#toAsk = [];
    this.#released = [];
  }

  /** A member has begun to beat. True if it takes the place of one that is held, and has ended. */
  came({ agent, uid, unit, pid, startedNs }: Newcomer): boolean {
    for (const { stall } of this.#byKey.values()) {
      if (stall.agent !== agent || stall.uid !== uid || stall.pid === pid) continue;
      const isOfUnit = (stall.verdict?.unit ?? "") === unit;
      if (!isOfUnit || startedNs <= stall.lastNs || !this.#isGone(stall)) continue;
      this.#byKey.delete(stall.key);
      return true;
    }
    return false;
  }

  /** A mute is over: all are asked for again. */
  unmuted(): void {
    if (!this.#isShut) this.#toAsk = [...this.#byKey.keys()];
  }

  /** Asks for some of them; those that are not muted any more wait to be taken. */
  maintain(nowNs: number): void {
    if (nowNs >= this.#askNs) this.#askAll(nowNs);
    if (this.#toAsk.length === 0) return;
    for (const key of this.#toAsk.splice(0, RECOVERY_EVALUATIONS_PER_TURN_MAX)) {
      const held = this.#byKey.get(key);
      if (held === undefined || held.fromNs > nowNs || this.isMuted(held.stall, nowNs)) continue;
      this.#released.push(held);
    }
  }

  /** 0 = there is something to do; +Infinity = all wait for the end of a mute. */
  nextDeadlineNs(): number {
    return this.#toAsk.length > 0 || this.hasReleased ? 0 : this.#askNs;
  }

  /** Stalls of mutes that are over wait to be taken. */
  get hasReleased(): boolean {
    return this.#released.length > 0;
  }

  /** The next of them; undefined = it is no stall any more. */
  take(): HeldStall | undefined {
    const held = this.#released.shift();
    if (held === undefined || this.#byKey.get(held.stall.key) !== held) return undefined;
    const { key, generation } = held.stall;
    this.#byKey.delete(key);
    const stale = stalenessReason(this.#options.freshness(key, generation));
    return stale === undefined || stale === "beats_refused" ? held : undefined;
  }

  #askAll(nowNs: number): void {
    this.unmuted();
    this.#askNs = Number.POSITIVE_INFINITY;
    for (const { fromNs } of this.#byKey.values())
      if (fromNs > nowNs) this.#askNs = Math.min(this.#askNs, fromNs);
  }

  /** Its process has ended, as far as the word of the kernel goes. */
  #isGone({ origin, pid, generation }: Stall): boolean {
    if (origin !== ORIGIN_KERNEL_ATTESTED || Number.isNaN(generation)) return false;
    return !this.#options.host.isAlive(pid, generation);
  }
}
