// Members that fall silent and come back under a guard, at times that the test gives.
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { Guard, type GuardChange, type GuardSettings } from "../../src/observer/guard.ts";
import type { SelfBeat } from "../../src/observer/self_beat.ts";

export const GUARD_DEFAULTS: GuardSettings = {
  isOn: true,
  share: 0.5,
  membersMin: 10,
  windowNs: undefined,
};
export const THRESHOLD = NS_PER_S;

export class FakeSelfBeat implements SelfBeat {
  isKept = true;
  sentNs = Number.NEGATIVE_INFINITY;
  tookNs = 0;
}

/** Members 1 to `members`, all of rules unless said otherwise, that beat until they fall silent. */
export class GuardWorld {
  readonly selfBeat = new FakeSelfBeat();
  readonly guard: Guard;
  readonly silent = new Set<number>();
  readonly members: number;
  nowNs = 1_000 * NS_PER_S;

  constructor(members: number, settings: Partial<GuardSettings> = {}) {
    this.members = members;
    this.guard = new Guard({ ...GUARD_DEFAULTS, ...settings }, this.selfBeat);
  }

  /** Whether each of them is held, in the order in which they fall. */
  fall(
    keys: readonly number[],
    of: { uid?: number; isRuled?: boolean; thresholdNs?: number } = {},
  ) {
    return keys.map((key) => {
      this.silent.add(key);
      const fall = { key, uid: 0, isRuled: true, thresholdNs: THRESHOLD, atNs: this.nowNs, ...of };
      return this.guard.holds(fall, this.members - this.silent.size);
    });
  }

  back(keys: readonly number[]): void {
    for (const key of keys) {
      this.silent.delete(key);
      this.guard.returned(key);
    }
  }

  pass(ns: number): void {
    this.nowNs += ns;
    this.guard.look(this.nowNs, this.members - this.silent.size);
  }

  selfBeats(tookNs = NS_PER_MS): void {
    this.selfBeat.sentNs = this.nowNs;
    this.selfBeat.tookNs = tookNs;
  }

  told(): string[] {
    return this.guard.changes.splice(0).map(wordsOf);
  }
}

/** As the slow twin says it. */
export function wordsOf(change: GuardChange): string {
  if (change.kind === "over") {
    const { atNs, end, tookNs, silent } = change;
    return `over ${atNs} ${end} ${tookNs} ${silent}`;
  }
  const { silent, members, windowNs } = change.view;
  return `active ${change.atNs} ${silent}/${members} ${windowNs}`;
}

export function range(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
