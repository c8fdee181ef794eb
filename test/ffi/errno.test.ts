// The error number is read by the call that failed, and put into words.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { AF_UNIX, EADDRINUSE, EAGAIN, EINVAL, ENOENT, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check, errnoName, errnoText, SystemError } from "../../ffi/errno.ts";
import { close, connect, openSocket, unixAddress } from "../../ffi/socket.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const EBADF = 9;

describe("errno", () => {
  test("is that of the call that has just failed, under garbage collection", () => {
    const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
    const missing = unixAddress("/nowhere/varta.sock");
    const wrong: number[] = [];
    for (let i = 0; i < 5_000; i++) {
      if (i % 1_000 === 0) Bun.gc(true);
      const first = connect(fd, missing);
      const second = close(-1);
      if (first !== -ENOENT || second !== -EBADF) wrong.push(first, second);
    }
    close(fd);
    expect(wrong).toEqual([]);
  });

  test("has a name and a text", () => {
    expect(errnoName(EAGAIN)).toBe("EAGAIN");
    expect(errnoText(EINVAL)).toBe("EINVAL (invalid argument)");
    expect(errnoName(4_711)).toBe("errno 4711");
    expect(errnoText(4_711)).toBe("errno 4711");
  });
});

describe("check()", () => {
  test("passes a result on", () => {
    expect(check(0, "do nothing")).toBe(0);
    expect(check(12, "do nothing")).toBe(12);
  });

  test("throws a SystemError that says what could not be done", () => {
    const thrown = caught(() => check(-EADDRINUSE, "cannot bind /run/x.sock"));
    expect(thrown).toBeInstanceOf(SystemError);
    expect(thrown).toMatchObject({
      name: "SystemError",
      message: "cannot bind /run/x.sock: EADDRINUSE (address already in use)",
      code: "EADDRINUSE",
      errno: EADDRINUSE,
    });
  });
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
