// What the end of a member means (spec 14 section 4).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import {
  actionOf,
  END_POLICY_DEFAULT,
  type EndPolicy,
  howEnded,
  type MemberEnd,
  ON_EXITS,
} from "../../src/agents/ends.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

function ended(waitStatus: number, more: Partial<MemberEnd> = {}): MemberEnd {
  const none = { isStalled: false, isSignalled: false, isAnnounced: false, saidGoodbye: false };
  return { waitStatus, ...none, ...more };
}

const exit = (status: number) => status * 256;

describe("howEnded()", () => {
  test.each([
    ["exit 0", exit(0), "clean"],
    ["exit 1", exit(1), "unclean"],
    ["exit 143", exit(143), "unclean"],
    ["SIGHUP", 1, "clean"],
    ["SIGINT", 2, "clean"],
    ["SIGPIPE", 13, "clean"],
    ["SIGTERM", 15, "clean"],
    ["SIGKILL", 9, "unclean"],
    ["SIGSEGV with a core", 11 + 128, "unclean"],
    ["SIGABRT", 6, "unclean"],
    ["what is not known", Number.NaN, "unknown"],
  ] as const)("of %s is %p: %p", (_what, waitStatus, how) => {
    expect(howEnded(END_POLICY_DEFAULT, ended(waitStatus))).toBe(how);
  });

  test("is clean for the statuses of the policy, and for no signal of the same number", () => {
    const policy: EndPolicy = { onExit: "judge", cleanExit: [143, 9] };
    expect(howEnded(policy, ended(exit(143)))).toBe("clean");
    expect(howEnded(policy, ended(exit(144)))).toBe("unclean");
    expect(howEnded(policy, ended(9))).toBe("unclean");
  });

  test("is clean, whatever the status, where the end was announced", () => {
    for (const waitStatus of [exit(0), exit(143), 9, Number.NaN])
      expect(howEnded(END_POLICY_DEFAULT, ended(waitStatus, { isAnnounced: true }))).toBe("clean");
  });

  test.each([
    ["exit 1", exit(1), "clean"],
    ["SIGKILL", 9, "clean"],
    ["what is not known", Number.NaN, "clean"],
    ["SIGSEGV with a core", 11 + 128, "unclean"],
    ["SIGSEGV without a core", 11, "unclean"],
    ["SIGABRT", 6, "unclean"],
    ["SIGQUIT", 3, "unclean"],
    ["SIGSYS", 31, "unclean"],
  ] as const)("after a goodbye, by %s, is %p: %p", (_what, waitStatus, how) => {
    expect(howEnded(END_POLICY_DEFAULT, ended(waitStatus, { saidGoodbye: true }))).toBe(how);
  });

  test("is never clean of a member that is stalled, or that a recovery has signalled", () => {
    for (const more of [{ isStalled: true }, { isSignalled: true }]) {
      for (const said of [false, true]) {
        const announced = { ...more, isAnnounced: said, saidGoodbye: said };
        const how = (waitStatus: number) =>
          howEnded(END_POLICY_DEFAULT, ended(waitStatus, announced));
        expect(how(exit(0))).toBe("unclean");
        expect(how(15)).toBe("unclean");
        expect(how(Number.NaN)).toBe("unknown");
      }
    }
  });
});

describe("actionOf()", () => {
  test.each([
    ["judge", "clean", "gone"],
    ["judge", "unclean", "judge"],
    ["judge", "unknown", "judge"],
    ["report", "clean", "gone"],
    ["report", "unclean", "stall"],
    ["report", "unknown", "judge"],
    ["ignore", "clean", "gone"],
    ["ignore", "unclean", "gone"],
    ["ignore", "unknown", "gone"],
    ["silence", "clean", "nothing"],
    ["silence", "unclean", "nothing"],
    ["silence", "unknown", "nothing"],
  ] as const)("of on_exit = %p after a %s end is %p", (onExit, how, action) => {
    expect(actionOf({ onExit, cleanExit: [] }, how)).toBe(action);
  });
});

/** The slow twin: all rows of the page for one end, the first that holds. */
function byThePage(policy: EndPolicy, end: MemberEnd): string {
  const text = Number.isNaN(end.waitStatus)
    ? "unknown"
    : end.waitStatus % 128 > 0
      ? `signal ${end.waitStatus % 128}`
      : `exit ${Math.floor(end.waitStatus / 256)}`;
  const clean = ["exit 0", "signal 1", "signal 2", "signal 13", "signal 15"];
  const core = [3, 4, 5, 6, 7, 8, 11, 24, 25, 31].map((signal) => `signal ${signal}`);
  clean.push(...policy.cleanExit.map((status) => `exit ${status}`));
  const rows: [boolean, string][] = [
    [end.isStalled || end.isSignalled, text === "unknown" ? "unknown" : "unclean"],
    [end.isAnnounced, "clean"],
    [end.saidGoodbye, core.includes(text) ? "unclean" : "clean"],
    [text === "unknown", "unknown"],
    [clean.includes(text), "clean"],
    [true, "unclean"],
  ];
  return rows.find(([holds]) => holds)![1];
}

test("howEnded() is what the page says of every status and every circumstance", () => {
  const status = fc.oneof(
    fc.integer({ min: 0, max: 255 }).map((code) => code * 256),
    fc.integer({ min: 1, max: 64 }),
    fc.integer({ min: 1, max: 64 }).map((signal) => signal + 128),
    fc.constant(Number.NaN),
  );
  const end = fc.record({
    waitStatus: status,
    isStalled: fc.boolean(),
    isSignalled: fc.boolean(),
    isAnnounced: fc.boolean(),
    saidGoodbye: fc.boolean(),
  });
  const policy = fc.record({
    onExit: fc.constantFrom(...ON_EXITS),
    cleanExit: fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(policy, end, (one, another) => {
      expect(howEnded(one, another)).toBe(byThePage(one, another) as "clean");
    }),
    { numRuns: atLength(200, 4_000) },
  );
});
