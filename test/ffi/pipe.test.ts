// Non-blocking pipes, with a real child at the other end.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { EAGAIN, IS_LINUX } from "../../ffi/constants.ts";
import { closeFd, openPipe, readPipe } from "../../ffi/pipe.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

function opened() {
  const pipe = openPipe();
  if (typeof pipe === "number") throw new Error(`no pipe: ${pipe}`);
  return pipe;
}

describe("openPipe() and readPipe()", () => {
  test("read what a child wrote, say EAGAIN while there is nothing, and 0 at the end", async () => {
    const { readFd, writeFd } = opened();
    const bytes = new Uint8Array(64);
    expect(readPipe(readFd, bytes, 64)).toBe(-EAGAIN);
    const child = Bun.spawn(["/bin/echo", "hello"], { stdout: writeFd });
    closeFd(writeFd);
    await child.exited;
    expect(readPipe(readFd, bytes, 64)).toBe(6);
    expect(Buffer.from(bytes.subarray(0, 6)).toString()).toBe("hello\n");
    expect(readPipe(readFd, bytes, 64)).toBe(0);
    closeFd(readFd);
  });

  test.if(IS_LINUX)("give the child an end that blocks, and no other descriptor", () => {
    const { readFd, writeFd } = opened();
    const text = "ls /proc/self/fd | tr '\\n' ' '; grep flags /proc/self/fdinfo/2";
    const child = Bun.spawnSync(["/bin/sh", "-c", text], { stderr: writeFd });
    closeFd(writeFd);
    closeFd(readFd);
    // 3 is the listing's own; O_WRONLY without O_NONBLOCK is 01.
    expect(child.stdout.toString()).toMatch(/^0 1 2 3 flags:\t0*1\n$/);
  });
});
