import { describe, expect, test } from "bun:test";
import {
  changedEnvironment,
  environmentChanges,
  managerWaitsForBeats,
  overruled,
} from "../../src/cli/exec_environment.ts";

const text = (entries: readonly Uint8Array[]): string[] =>
  entries.map((entry) => Buffer.from(entry).toString("latin1"));

describe("environmentChanges()", () => {
  test("names the doors of the daemon, and the threshold in microseconds", () => {
    const doors = { socket: "/run/v.sock", notify: "/run/n.sock", thresholdNs: 2_500_000_000 };
    expect(Object.fromEntries(environmentChanges(doors, 42))).toEqual({
      NOTIFY_SOCKET: "/run/n.sock",
      WATCHDOG_USEC: "2500000",
      WATCHDOG_PID: "42",
      VARTA_SOCKET: "/run/v.sock",
      VARTA_NOTIFY: "/run/n.sock",
    });
  });

  test("removes NOTIFY_SOCKET where there is no such door, and takes 5 s for the threshold", () => {
    const changes = environmentChanges({}, 42);
    expect(changes.has("NOTIFY_SOCKET")).toBe(true);
    expect(changes.get("NOTIFY_SOCKET")).toBeUndefined();
    expect(changes.get("WATCHDOG_USEC")).toBe("5000000");
    expect(changes.has("VARTA_SOCKET")).toBe(false);
  });
});

test("overruled() lets the environment win, but not by an empty word", () => {
  const doors = { socket: "/a", stream: "/b", notify: "/c", thresholdNs: 1 };
  const env = { VARTA_SOCKET: "/x", VARTA_STREAM: "", VARTA_NOTIFY: "/z" };
  expect(overruled(doors, env)).toEqual({
    socket: "/x",
    stream: "/b",
    notify: "/z",
    thresholdNs: 1,
  });
});

test("managerWaitsForBeats() is true only of a watchdog for this very pid", () => {
  expect(managerWaitsForBeats({ WATCHDOG_USEC: "1", WATCHDOG_PID: "42" }, 42)).toBe(true);
  expect(managerWaitsForBeats({ WATCHDOG_USEC: "1", WATCHDOG_PID: "41" }, 42)).toBe(false);
  expect(managerWaitsForBeats({ WATCHDOG_USEC: "1" }, 42)).toBe(false);
  expect(managerWaitsForBeats({ WATCHDOG_PID: "42" }, 42)).toBe(false);
});

test("changedEnvironment() leaves bytes that are no UTF-8, and replaces a name whole", () => {
  const entries = ["A=\xff\xfe", "NOTIFY_SOCKET=/old", "NOTIFY_SOCKET_X=1", "odd"].map((entry) =>
    Buffer.from(entry, "latin1"),
  );
  const changes = new Map([
    ["NOTIFY_SOCKET", undefined],
    ["NEW", "2"],
  ]);
  expect(text(changedEnvironment(entries, changes))).toEqual([
    "A=\xff\xfe",
    "NOTIFY_SOCKET_X=1",
    "odd",
    "NEW=2",
  ]);
});
