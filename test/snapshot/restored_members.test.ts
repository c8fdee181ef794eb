import { describe, expect, test } from "bun:test";
import { continuationOf } from "../../src/snapshot/continuation.ts";
import type { MemberRecord } from "../../src/snapshot/records.ts";
import { restoreMembers } from "../../src/snapshot/restored_members.ts";
import { MEMBER, memberRows, MOMENT } from "./states.ts";

const S = 1e9;
/** The daemon of before wrote its state at 90 s, and the next one starts half a second later. */
const HALF_A_SECOND = continuationOf(
  MOMENT,
  {
    ...MOMENT,
    observerNs: 0,
    monotonicNs: MOMENT.monotonicNs + 0.5 * S,
    boottimeNs: MOMENT.boottimeNs + 0.5 * S,
  },
  false,
);

function restored(
  records: readonly MemberRecord[],
  { ended = [], capacity = 100 }: { ended?: readonly number[]; capacity?: number } = {},
) {
  const { members, leftOut } = restoreMembers(memberRows(records), HALF_A_SECOND, {
    capacity,
    hasEnded: (pid, startTime) => ended.includes(pid) && startTime === MEMBER.generation,
  });
  return { members: [...members], leftOut };
}

describe("restoreMembers()", () => {
  test("gives a healthy or frozen member its honest silence", () => {
    const { members, leftOut } = restored([MEMBER]);
    expect(leftOut).toBe(0);
    expect(members).toEqual([
      {
        record: MEMBER,
        firstNs: -80.5 * S,
        lastNs: -1.5 * S,
        stalledNs: Number.NaN,
        goodbyeNs: Number.NaN,
        diedUnseen: false,
      },
    ]);
  });

  test("leaves a stalled member stalled, and reports nothing of it again", () => {
    const stalled = { ...MEMBER, isStalled: true, stalledNs: 80 * S };
    const [member] = restored([stalled]).members;
    expect(member).toMatchObject({ record: stalled, stalledNs: -10.5 * S, diedUnseen: false });
  });

  test("reports the end of a process that died while nobody watched, once", () => {
    const dead = { pid: 4711, hasEnded: true };
    const [news] = restored([MEMBER], { ended: [4711] }).members;
    expect(news).toMatchObject({ diedUnseen: true, lastNs: -1.5 * S });
    const [known] = restored([{ ...MEMBER, ...dead }], { ended: [4711] }).members;
    expect(known).toMatchObject({ record: { hasEnded: true }, diedUnseen: false });
  });

  test("asks for no process of a member that is elsewhere, or has no known start time", () => {
    const remote = { ...MEMBER, origin: 4 };
    const hidden = { ...MEMBER, key: 1, generation: Number.NaN };
    const { members } = restored([remote, hidden], { ended: [4711] });
    expect(members.map(({ diedUnseen }) => diedUnseen)).toEqual([false, false]);
  });

  test("asks for the processes of a thousand that were silent longest, and of all that are stalled", () => {
    const records = Array.from({ length: 1_200 }, (_, at) => ({
      ...{ ...MEMBER, pid: 100 + at, key: 100 + at, lastNs: (80 - at / 1_000) * S },
      isStalled: at === 3,
    }));
    const { members } = restored(records, {
      ended: records.map(({ pid }) => pid),
      capacity: 2_000,
    });
    const alive = members.filter(({ diedUnseen }) => !diedUnseen);
    // The youngest ones come last.
    expect(alive.map(({ record }) => record.pid)).toEqual(
      Array.from({ length: 200 }, (_, at) => 299 - at).filter((pid) => pid !== 103),
    );
  });

  test("keeps the stalled ones and those that beat last where there is less room, and counts the others", () => {
    const records = [
      { ...MEMBER, pid: 1, key: 1, lastNs: 88 * S },
      { ...MEMBER, pid: 2, key: 2, lastNs: 89 * S },
      { ...MEMBER, pid: 3, key: 3, lastNs: 10 * S, isStalled: true },
    ];
    const { members, leftOut } = restored(records, { capacity: 2 });
    expect(members.map(({ record }) => record.pid)).toEqual([3, 2]);
    expect(leftOut).toBe(1);
  });

  test("leaves out what has the pid of no process, and counts it", () => {
    const none = [0, 4_194_305, 2 ** 32 - 1].map((pid, at) => ({ ...MEMBER, pid, key: 10 + at }));
    const remote = { ...MEMBER, pid: 2 ** 32 - 1, key: 20, origin: 4 };
    const { members, leftOut } = restored([...none, remote, MEMBER]);
    expect(members.map(({ record }) => record.key)).toEqual([20, MEMBER.key]);
    expect(leftOut).toBe(3);
  });

  test("gives no member after another boot", () => {
    const other = continuationOf({ ...MOMENT, bootId: "" }, MOMENT, false);
    const options = { capacity: 9, hasEnded: () => true };
    const { members, leftOut } = restoreMembers(memberRows([MEMBER]), other, options);
    expect([members.length, leftOut]).toEqual([0, 0]);
  });
});
