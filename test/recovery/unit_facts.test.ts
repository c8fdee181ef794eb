// What the service manager prints about a unit, and who may have it restarted.
import { describe, expect, test } from "bun:test";
import { factsArgv, parseFacts, unitFault } from "../../src/recovery/unit_facts.ts";
import { stallOf } from "./harness.ts";

const TEXT =
  "User=app\nUID=1000\nMainPID=4242\nExecMainPID=4242\nExecMainExitTimestampMonotonic=0\n";
const OWN = parseFacts(TEXT)!;
const SEEN_US = 5_000_000;

test("factsArgv() names a unit that cannot be taken for an option", () => {
  expect(factsArgv("app.service").slice(-2)).toEqual(["--", "app.service"]);
});

describe("parseFacts()", () => {
  test("takes the properties in any order", () => {
    expect(OWN).toEqual({ uid: 1_000, mainPid: 4_242, lastMainPid: 4_242, lastMainExitUs: 0 });
    expect(parseFacts(TEXT.split("\n").toReversed().join("\n"))).toEqual(OWN);
  });

  test.each([
    ["no user is root", "User=\nUID=[not set]", 0],
    ["so is root by name", "User=root\nUID=0", 0],
    ["a dynamic user is the one that was given", "User=app\nUID=61184", 61_184],
    ["a user that the manager has not looked up is not known", "User=app\nUID=[not set]", NaN],
    ["an old manager tells a number only where one is written", "User=1234", 1_234],
    ["and no name", "User=app", NaN],
  ])("%s", (_what, user, uid) => {
    expect(parseFacts(`${user}\nMainPID=1\n`)!.uid).toBe(uid);
  });

  test.each([
    "",
    "Failed to connect to bus\n",
    "MainPID=1\n",
    "User=app\nMainPID=-1\n",
    "User=\nMainPID=\n",
  ])("finds no answer in %j", (text) => {
    expect(parseFacts(text)).toBeUndefined();
  });
});

describe("unitFault()", () => {
  const fault = (facts: Partial<typeof OWN>, uid = 1_000) =>
    unitFault("app.service", { ...OWN, ...facts }, stallOf({ uid }), SEEN_US);

  test("lets the main process of the unit's user", () => {
    expect(fault({})).toBe("");
    expect(fault({ uid: 0 }, 0)).toBe("");
  });

  test("lets the one that ran last, if it has ended since it was seen", () => {
    expect(fault({ mainPid: 0, lastMainExitUs: SEEN_US })).toBe("");
    expect(fault({ mainPid: 0, lastMainExitUs: SEEN_US - 1 })).not.toBe("");
    expect(fault({ mainPid: 0, lastMainExitUs: 0 })).not.toBe("");
    expect(fault({ mainPid: 7 })).toBe("it is not the main process of app.service");
  });

  test("refuses another user, and one that is not known", () => {
    expect(fault({}, 65_534)).toBe("it beats as uid 65534, and app.service runs as 1000");
    expect(fault({ uid: NaN })).toBe("the user of app.service is not known");
    expect(fault({}, NaN)).not.toBe("");
  });
});
