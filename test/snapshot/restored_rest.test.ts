import { describe, expect, test } from "bun:test";
import { continuationOf } from "../../src/snapshot/continuation.ts";
import type { MuteRecord, State } from "../../src/snapshot/records.ts";
import { restoreRest } from "../../src/snapshot/restored_rest.ts";
import { EMPTY, FULL, MOMENT } from "./states.ts";

const S = 1e9;
const DAY = 86_400 * S;

/** What is left of `state` a minute later, in the same boot or in another one. */
function aMinuteLater(state: Partial<State>, bootId = MOMENT.bootId) {
  const here = {
    ...MOMENT,
    bootId,
    observerNs: 1 * S,
    monotonicNs: MOMENT.monotonicNs + 60 * S,
    boottimeNs: MOMENT.boottimeNs + 60 * S,
    unixMs: MOMENT.unixMs + 60_000,
  };
  return restoreRest({ ...EMPTY, ...state }, continuationOf(MOMENT, here, false), here.observerNs);
}

const OTHER_BOOT = "99999999-2222-3333-4444-555555555555";

function mute(some: Partial<MuteRecord>): MuteRecord {
  return {
    ...{ kind: "agent", target: "worker", pid: 0, key: 0, generation: Number.NaN },
    ...{ reason: "deploy", byUid: 0, byPid: 9, byComm: "bash", beganNs: 80 * S, untilNs: 190 * S },
    ...some,
  };
}

const PACE = {
  ...{ name: "worker", key: 0, generation: Number.NaN, level: 2, firedNs: 50 * S },
  ...{ resumedNs: Number.NaN, isGivenUp: true, starts: [50 * S, 20 * S] },
};

describe("restoreRest()", () => {
  test("lets mutes go on to the end that they had", () => {
    expect(aMinuteLater({ mute: [mute({})] }).mute).toEqual([
      mute({ beganNs: -69 * S, untilNs: 41 * S }),
    ]);
    expect(aMinuteLater({ mute: [mute({ untilNs: 149 * S })] }).mute).toEqual([]);
  });

  test("lets mutes of names outlive the machine, and those of processes not", () => {
    const mutes = [mute({}), mute({ kind: "member", key: 5 })];
    expect(aMinuteLater({ mute: mutes }).mute).toHaveLength(2);
    const { mute: after } = aMinuteLater({ mute: mutes }, OTHER_BOOT);
    expect(after.map(({ kind }) => kind)).toEqual(["agent"]);
  });

  test("gives no mute more than seven days, whatever the file says", () => {
    const [long] = aMinuteLater({ mute: [mute({ untilNs: 400 * DAY })] }).mute;
    expect(long!.untilNs).toBe(1 * S + 7 * DAY);
    expect(long!.untilNs - long!.beganNs).toBeLessThanOrEqual(7 * DAY);
    const [early] = aMinuteLater({ mute: [mute({ beganNs: -400 * DAY })] }).mute;
    expect(early!.untilNs - early!.beganNs).toBe(7 * DAY);
  });

  test("lets debounce, budgets and storms go on, their times oldest first", () => {
    const window = { key: 1, generation: 5, firedNs: 80 * S };
    const storm = { starts: [80 * S], firstRefusedNs: 85 * S, lastRefusedNs: NaN, refused: 2 };
    const rest = aMinuteLater({ window: [window], pace: [PACE], storm: [storm] });
    expect(rest.window).toEqual([{ ...window, firedNs: -69 * S }]);
    expect(rest.pace[0]).toMatchObject({ level: 2, firedNs: -99 * S, isGivenUp: true });
    expect(rest.pace[0]!.starts).toEqual([-129 * S, -99 * S]);
    expect(rest.storm[0]).toMatchObject({ starts: [-69 * S], firstRefusedNs: -64 * S });
  });

  test("keeps budgets of names after another boot, and nothing of a process", () => {
    const byKey = { ...PACE, name: "", key: 4711 };
    const window = { key: 1, generation: 5, firedNs: 80 * S };
    const missing = { agent: "db", sinceNs: 12 * S, isTold: true };
    const rest = aMinuteLater(
      { pace: [PACE, byKey], window: [window], missing: [missing] },
      OTHER_BOOT,
    );
    expect(rest.pace.map(({ name }) => name)).toEqual(["worker"]);
    expect(rest.pace[0]!.firedNs).toBe(-99 * S);
    expect(rest.window).toEqual([]);
    expect(rest.missing).toEqual([{ ...missing, sinceNs: -137 * S }]);
  });

  test("keeps replay states after another boot: their senders go on", () => {
    const sender = {
      ...{ listener: "edge", pid: 9, ivLow: 1, ivHigh: 2, lastCounter: 3, previousIvLow: 4 },
      ...{ previousIvHigh: 5, previousLastCounter: 6, nonceMaxHi: 0, nonceMaxLo: 7 },
      ...{ timestampMaxHi: 0, timestampMaxLo: 8, terminalSeen: 0, terminalTimestampHi: 0 },
      ...{ terminalTimestampLo: 0, lastSeenNs: 88 * S },
    };
    const prefix = { listener: "edge", kind: "retired", ivLow: 1, ivHigh: 2 } as const;
    for (const bootId of [MOMENT.bootId, OTHER_BOOT]) {
      const rest = aMinuteLater({ sender: [sender], prefix: [prefix] }, bootId);
      expect(rest.sender).toEqual([{ ...sender, lastSeenNs: -61 * S }]);
      expect(rest.prefix).toEqual([prefix]);
    }
  });

  test("lets graces and the guard go on in the same boot, and begins them anew in another", () => {
    const grace = { agent: "cron", sinceNs: 70 * S, expected: 1 };
    const guard = {
      ...{ isActive: true, sinceNs: 85 * S, windowNs: 5 * S, silent: 12, members: 20 },
      restNs: 200 * S,
    };
    const state = { grace: [grace, { ...grace, sinceNs: 95 * S }], guard: [guard] };
    const after = aMinuteLater(state);
    expect(after.grace.map(({ sinceNs }) => sinceNs)).toEqual([-79 * S, -59 * S]);
    expect(after.guard).toEqual([{ ...guard, sinceNs: -64 * S, restNs: 51 * S }]);
    const none = aMinuteLater({ guard: [{ ...guard, restNs: Number.NaN }] });
    expect(none.guard[0]!.restNs).toBeNaN();
    const other = aMinuteLater(state, OTHER_BOOT);
    expect([other.grace, other.guard]).toEqual([[], []]);
  });

  test("lets what people were told be known in the same boot, whose pids it is about", () => {
    const { history, note, done } = FULL;
    const after = aMinuteLater({ history, note, done });
    expect(after.history).toEqual(history);
    expect(after.note).toEqual([{ ...note[0]!, reportedNs: -61 * S }]);
    expect(after.done).toEqual([{ ...done[0]!, doneNs: -61 * S }]);
    const other = aMinuteLater({ history, note, done }, OTHER_BOOT);
    expect([other.history, other.note, other.done]).toEqual([[], [], []]);
  });
});
