// What follows from the state of a unit (spec 14 sections 2.1 and 4), as systemd 252 and 257 report
// it in each case.
import { describe, expect, test } from "bun:test";
import { readMessage } from "../../src/systemd/dbus_message.ts";
import {
  isTooSoon,
  readUnitState,
  type UnitState,
  unitPath,
  waitStatusIn,
  wasStopped,
} from "../../src/systemd/unit_state.ts";
import { ENDED_SERVICE, encodeMessage, propertiesReply, s } from "./dbus_encoder.ts";

const PID = 4_711;
const SECOND = 1_000_000;
/** It started at 4 s and ended at 5 s. */
const END = { pid: PID, startedUs: 4 * SECOND, endedUs: 5 * SECOND };
/** Ended by itself with status 3: after that the unit ceased to be active. */
const CRASHED: UnitState = {
  activeState: "failed",
  activeExitUs: 5 * SECOND + 300,
  mainPid: PID,
  mainStartUs: 4 * SECOND,
  mainExitUs: 5 * SECOND,
  mainCode: 1,
  mainStatus: 3,
  result: "exit-code",
  restarts: 0,
};
/** systemctl stop, and it ended with 143. */
const STOPPED: UnitState = { ...CRASHED, activeExitUs: 5 * SECOND - 20_000, mainStatus: 143 };
/** The next main process runs. */
const NEXT = { mainPid: 4_800, mainStartUs: 5 * SECOND + 2_000, mainExitUs: 0, mainCode: 0 };
const RESTARTED: UnitState = { ...STOPPED, ...NEXT, activeState: "active", result: "success" };

describe("readUnitState()", () => {
  test("takes what it needs of an answer", () => {
    expect(readUnitState(readMessage(propertiesReply(ENDED_SERVICE))!)).toEqual({
      activeState: "failed",
      activeExitUs: 5_000_200,
      mainPid: PID,
      mainStartUs: 4_000_000,
      mainExitUs: 5_000_100,
      mainCode: 1,
      mainStatus: 3,
      result: "exit-code",
      restarts: 0,
    });
  });

  test("is undefined of what is no service, and of another answer", () => {
    expect(readUnitState(readMessage(propertiesReply({ Id: s("a.slice") }))!)).toBeUndefined();
    const other = { type: 2, fields: [], signature: "s", body: ["x"] } as const;
    expect(readUnitState(readMessage(encodeMessage(other))!)).toBeUndefined();
  });

  test("takes a property of another type as absent", () => {
    const odd = propertiesReply({ ...ENDED_SERVICE, ExecMainCode: s("1") });
    expect(readUnitState(readMessage(odd)!)!.mainCode).toBe(0);
  });
});

test.each([
  ["app.service", "app_2eservice"],
  ["worker@3.service", "worker_403_2eservice"],
  ["9a-b_c.service", "_39a_2db_5fc_2eservice"],
])("unitPath(%j) escapes as systemd does", (unit, label) => {
  expect(unitPath(unit)).toBe(`/org/freedesktop/systemd1/unit/${label}`);
});

describe("waitStatusIn()", () => {
  test.each([
    ["exited with 3", { mainCode: 1, mainStatus: 3 }, 768],
    ["exited with 0", { mainCode: 1, mainStatus: 0 }, 0],
    ["killed by 9", { mainCode: 2, mainStatus: 9 }, 9],
    ["dumped by 11", { mainCode: 3, mainStatus: 11 }, 139],
    ["not ended", { mainCode: 0, mainStatus: 0 }, Number.NaN],
    ["a code that there is not", { mainCode: 4, mainStatus: 1 }, Number.NaN],
    ["a status that there is not", { mainCode: 1, mainStatus: 256 }, Number.NaN],
    ["a signal that there is not", { mainCode: 2, mainStatus: 65 }, Number.NaN],
    ["no signal", { mainCode: 2, mainStatus: 0 }, Number.NaN],
    ["another main process", { mainPid: PID + 1 }, Number.NaN],
    ["an end before this process began", { mainExitUs: 3 * SECOND }, Number.NaN],
  ])("of one that %s", (_what, state, waitStatus) => {
    expect(waitStatusIn({ ...CRASHED, ...state }, END)).toBe(waitStatus);
  });
});

const CHILD = { pid: PID + 5, startedUs: 4 * SECOND + 500_000, endedUs: 5 * SECOND };

describe("wasStopped()", () => {
  test.each<[string, boolean, UnitState, typeof END]>([
    ["of a unit that crashed", false, CRASHED, END],
    ["of one that systemctl stopped", true, STOPPED, END],
    ["and whose other processes still end", true, { ...STOPPED, activeState: "deactivating" }, END],
    [
      "that crashed, and its ExecStopPost= runs",
      false,
      { ...CRASHED, activeState: "deactivating" },
      END,
    ],
    [
      "that crashed, and waits to be restarted",
      false,
      { ...CRASHED, activeState: "activating" },
      END,
    ],
    ["that systemctl restarted, and runs", true, RESTARTED, END],
    [
      "that systemctl restarted, and starts",
      true,
      { ...RESTARTED, activeState: "activating" },
      END,
    ],
    ["that crashed, and systemd restarted it", false, { ...RESTARTED, restarts: 1 }, END],
    ["that the watchdog of systemd ended", false, { ...STOPPED, result: "watchdog" }, END],
    ["that was stopped for want of memory", false, { ...STOPPED, result: "oom-kill" }, END],
    ["of which nothing is known any more", false, { ...CRASHED, activeExitUs: 0, mainPid: 0 }, END],
    [
      "a child of one that is being stopped",
      true,
      { ...STOPPED, activeState: "deactivating", mainCode: 0, mainExitUs: 0 },
      CHILD,
    ],
    ["a child of one that was stopped", true, STOPPED, CHILD],
    [
      "a child that ended before it was stopped",
      false,
      STOPPED,
      { ...CHILD, endedUs: 5 * SECOND - 200_000 },
    ],
    [
      "of one whose end was seen before systemd had written that it stops the unit",
      true,
      STOPPED,
      { ...END, endedUs: STOPPED.activeExitUs - 5_000 },
    ],
    ["a child of one that crashed", false, CRASHED, CHILD],
    [
      "a child of one that runs on",
      false,
      { ...CRASHED, activeState: "active", activeExitUs: 0, mainCode: 0, mainExitUs: 0 },
      CHILD,
    ],
    [
      "a child of one that was restarted before",
      false,
      { ...RESTARTED, mainStartUs: 4 * SECOND + 400_000 },
      CHILD,
    ],
    ["a child of one that systemctl restarted since", true, RESTARTED, CHILD],
  ])("%s: %p", (_what, wanted, state, end) => {
    expect(wasStopped(state, end)).toBe(wanted);
  });
});

test("isTooSoon() of a main process that systemd does not know to have ended", () => {
  expect(isTooSoon({ ...CRASHED, mainCode: 0 }, END)).toBeTrue();
  expect(isTooSoon({ ...CRASHED, mainCode: 0 }, CHILD)).toBeFalse();
  expect(isTooSoon(CRASHED, END)).toBeFalse();
});
