// Whose beat a message with MAINPID= is (spec 20 section 2).
import { describe, expect, test } from "bun:test";
import {
  type MainPidQuestion,
  type MainProcess,
  memberPid,
  type ProcessPlace,
} from "../../src/agents/main_pid.ts";

const place: ProcessPlace = {
  uid: 1000,
  unit: "job.service",
  unitUser: "",
  cgroup: "/system.slice/job.service",
};
const alive: MainProcess = { ...place, isAlive: true, startTime: 10 };
const question: MainPidQuestion = {
  senderPid: 500,
  mainPid: 400,
  receivedGeneration: 1_000,
  sender: place,
  main: alive,
};

describe("memberPid()", () => {
  test("is the main process in the same unit and of the same uid", () => {
    expect(memberPid(question)).toBe(400);
  });

  test("is the sender that names itself, whatever is known of it", () => {
    const own = { ...question, mainPid: 500, sender: undefined, main: undefined };
    expect(memberPid(own)).toBe(500);
  });

  test("goes by the unit, not by the group below it", () => {
    const below = { ...alive, cgroup: "/system.slice/job.service/worker" };
    expect(memberPid({ ...question, main: below })).toBe(400);
  });

  const noUnit = { unit: "", cgroup: "/user.slice/user-1000.slice/session-4.scope" };

  test("goes by the whole control group where neither is in a unit", () => {
    const sender = { ...place, ...noUnit };
    expect(memberPid({ ...question, sender, main: { ...alive, ...noUnit } })).toBe(400);
    const other = { ...alive, ...noUnit, cgroup: `${noUnit.cgroup}/x` };
    expect(memberPid({ ...question, sender, main: other })).toBe(0);
  });

  test.each([
    ["what it names cannot be a process", { mainPid: 0 }],
    ["the sender could not be looked at", { sender: undefined }],
    ["the other one could not be looked at", { main: undefined }],
    ["the other one is root's", { main: { ...alive, uid: 0 } }],
    ["root names another user's", { sender: { ...place, uid: 0 } }],
    ["the other one is in another unit", { main: { ...alive, unit: "db.service" } }],
    ["it is in a unit of that name of a user", { main: { ...alive, unitUser: "ann" } }],
    ["only the sender is in a unit", { main: { ...alive, ...noUnit } }],
    ["only the other one is in a unit", { sender: { ...place, ...noUnit } }],
    ["it has ended", { main: { ...alive, isAlive: false } }],
    ["it started after the message", { main: { ...alive, startTime: 1_001 } }],
    ["its start is not known", { main: { ...alive, startTime: Number.NaN } }],
  ] satisfies [string, Partial<MainPidQuestion>][])("refuses where %s", (_when, more) => {
    expect(memberPid({ ...question, ...more })).toBe(0);
  });

  test("refuses where neither unit nor control group is known", () => {
    const nowhere = { unit: "", cgroup: "" };
    const sender = { ...place, ...nowhere };
    expect(memberPid({ ...question, sender, main: { ...alive, ...nowhere } })).toBe(0);
  });
});
