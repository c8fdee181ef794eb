// How a start waits for a socket that a killed daemon still holds.
import { describe, expect, test } from "bun:test";
import { openPatiently } from "../../src/daemon/doors.ts";
import { SocketInUseError, SocketPathError } from "../../src/sockets/socket_path.ts";

const IN_USE = new SocketInUseError("AddrInUse", "in use", "hint");

/** Opens at the attempt `succeedsAt`; fails with `error` before. */
function attempt(succeedsAt: number, error: Error): { result: string; waitedMs: number } {
  let attempts = 0;
  let waitedMs = 0;
  const open = (): string => {
    if (++attempts < succeedsAt) throw error;
    return "open";
  };
  const sleep = (ms: number): void => {
    waitedMs += ms;
  };
  try {
    const result = openPatiently(open, sleep);
    return { result, waitedMs };
  } catch (failure) {
    expect(failure).toBe(error);
    return { result: "refused", waitedMs };
  }
}

describe("openPatiently()", () => {
  test("opens at once what is free", () => {
    expect(attempt(1, IN_USE)).toEqual({ result: "open", waitedMs: 0 });
  });

  test("waits for a path that is given up within a moment", () => {
    expect(attempt(6, IN_USE)).toEqual({ result: "open", waitedMs: 100 });
  });

  test("refuses a path that stays in use", () => {
    expect(attempt(100, IN_USE)).toEqual({ result: "refused", waitedMs: 300 });
  });

  test("does not wait for anything else", () => {
    const other = new SocketPathError("AddrInUse", "not a socket", "hint");
    expect(attempt(2, other)).toEqual({ result: "refused", waitedMs: 0 });
  });
});
