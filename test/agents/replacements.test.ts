// Which end a newcomer excuses (spec 14 section 4.1).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { type Newcomer, type OpenEnd, Replacements } from "../../src/agents/replacements.ts";
import { ReplacementsTwin } from "../reference/replacements.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const MS = 1e6;
const S = 1e9;

/** Ended at `atS`, is judged 5 s later, and had run for an hour. */
function end(atS: number, more: Partial<OpenEnd> = {}): OpenEnd {
  const endedNs = atS * S;
  const startedNs = endedNs - 3_600 * S;
  return { group: "w", pid: 1, generation: 1, startedNs, endedNs, dueNs: endedNs + 5 * S, ...more };
}

function newcomer(atS: number, more: Partial<Newcomer> = {}): Newcomer {
  return { group: "w", pid: 2, startedNs: atS * S, beganNs: (atS + 0.1) * S, ...more };
}

describe("Replacements", () => {
  test("excuse an end by a newcomer that started after it", () => {
    const replacements = new Replacements();
    const one = end(100);
    expect(replacements.ended(one)).toBeUndefined();
    expect(replacements.began(newcomer(101))).toBe(one);
    expect(replacements.openCount).toBe(0);
    expect(replacements.newcomerCount).toBe(0);
  });

  test("leave one of two ends to be judged if one newcomer comes: that with the later deadline", () => {
    const replacements = new Replacements();
    const late = end(100, { dueNs: 110 * S });
    const soon = end(100, { dueNs: 104 * S });
    replacements.ended(late);
    replacements.ended(soon);
    expect(replacements.began(newcomer(101))).toBe(soon);
    expect(replacements.openCount).toBe(1);
  });

  test("excuse none of the ends of eight workers by those that run for long", () => {
    const replacements = new Replacements();
    for (let worker = 0; worker < 8; worker++) replacements.began(newcomer(10));
    expect(replacements.ended(end(100))).toBeUndefined();
    expect(replacements.openCount).toBe(1);
  });

  test("excuse an end by one that came just before it, as in a rolling restart", () => {
    const replacements = new Replacements();
    const fresh = newcomer(97);
    replacements.began(fresh);
    expect(replacements.ended(end(100))).toBe(fresh);
    expect(replacements.ended(end(100))).toBeUndefined();
  });

  test("excuse no end by one of those that were started together with it", () => {
    const replacements = new Replacements();
    for (let worker = 0; worker < 4; worker++) replacements.began(newcomer(97));
    expect(replacements.ended(end(100, { startedNs: 97 * S }))).toBeUndefined();
  });

  test("excuse no end by the one that ended, however short it lived", () => {
    const replacements = new Replacements();
    replacements.began(newcomer(100, { pid: 1 }));
    expect(replacements.ended(end(100.01, { pid: 1, startedNs: 100 * S }))).toBeUndefined();
    expect(replacements.newcomerCount).toBe(0);
    // Nor by one that was started beside it.
    replacements.began(newcomer(100, { pid: 3 }));
    expect(replacements.ended(end(100.01, { pid: 1, startedNs: 100 * S }))).toBeUndefined();
  });

  test("excuse no end by one that was started with it where the end is known as after a beat alone", () => {
    const replacements = new Replacements();
    replacements.ended(end(100, { startedNs: 99.99 * S, endedNs: 100 * S }));
    expect(replacements.began(newcomer(100.005))).toBeUndefined();
    expect(replacements.began(newcomer(100.02, { pid: 3 }))).toBeDefined();
  });

  test("excuse no end by a newcomer of another agent, uid or unit", () => {
    const replacements = new Replacements();
    replacements.ended(end(100));
    expect(replacements.began(newcomer(101, { group: "other" }))).toBeUndefined();
    expect(replacements.openCount).toBe(1);
  });

  test("excuse no end by a process that was there all the time and now begins to beat", () => {
    const replacements = new Replacements();
    replacements.ended(end(100));
    expect(replacements.began(newcomer(50, { beganNs: 101 * S }))).toBeUndefined();
  });

  test("excuse no end that was judged", () => {
    const replacements = new Replacements();
    const one = end(100);
    replacements.ended(one);
    replacements.closed(one);
    replacements.closed(one);
    expect(replacements.began(newcomer(101))).toBeUndefined();
  });

  test.each([
    [-20, true],
    [-21, false],
    [0, true],
  ])("take a start %p ms from the end for one after it: %p", (ms, isExcused) => {
    const replacements = new Replacements();
    // It is too young to be excused by one that came before.
    const one = end(100, { startedNs: 99 * S });
    replacements.ended(one);
    const startedNs = 100 * S + ms * MS;
    expect(replacements.began(newcomer(100, { startedNs })) === one).toBe(isExcused);
  });

  test("remember newcomers for a minute, and at most 4,096 of them", () => {
    const replacements = new Replacements();
    for (let count = 0; count < 5_000; count++) replacements.began(newcomer(1));
    expect(replacements.newcomerCount).toBe(4_096);
    replacements.maintain(62 * S);
    expect(replacements.newcomerCount).toBe(0);
  });

  test("do what the rules say, one after the other, whatever happens in which order", () => {
    const group = fc.constantFrom("a", "b");
    const seconds = fc.integer({ min: 0, max: 80 }).map((s) => s / 4);
    const step = fc.oneof(
      fc.record({ kind: fc.constant("end" as const), group, age: seconds, grace: seconds }),
      fc.record({ kind: fc.constant("begin" as const), group, age: seconds, grace: seconds }),
      fc.record({ kind: fc.constant("close" as const), group, age: seconds, grace: seconds }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(seconds, step), { maxLength: 60 }), (steps) => {
        const replacements = new Replacements();
        const twin = new ReplacementsTwin();
        const excused = new Set<unknown>();
        let nowS = 1_000;
        let pid = 0;
        for (const [pauseS, { kind, group, age, grace }] of steps) {
          nowS += pauseS / 4;
          pid += 1;
          if (kind === "close") {
            const open = twin.ends[pid % Math.max(1, twin.ends.length)];
            if (open === undefined) continue;
            replacements.closed(open);
            twin.closed(open);
          } else {
            // Starts differ in something, so that the order of equal ones does not matter.
            const startedNs = (nowS - age) * S + pid;
            // Some of those that end came a moment ago.
            const ended = age < 5 ? pid - 1 : pid;
            const one = end(nowS, {
              group,
              pid: ended,
              startedNs,
              dueNs: (nowS + grace) * S + pid,
            });
            const another = newcomer(nowS, { group, pid, startedNs, beganNs: nowS * S });
            const found = [replacements, twin].map((each) =>
              kind === "end" ? each.ended(one) : each.began(another),
            );
            expect(found[0]).toEqual(found[1]);
            if (found[0] !== undefined) {
              const id = `${kind} ${found[0].pid} ${found[0].startedNs}`;
              expect(excused.has(id)).toBeFalse();
              excused.add(id);
            }
          }
          expect(replacements.openCount).toBe(twin.ends.length);
          expect(replacements.newcomerCount).toBe(twin.newcomers.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});
