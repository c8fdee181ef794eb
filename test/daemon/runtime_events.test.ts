import { describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { stat } from "node:fs/promises";
import { POLLIN } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import { findRuntimeEvents } from "../../src/daemon/runtime_events.ts";

describe("findRuntimeEvents()", () => {
  test("finds the epoll descriptor on which the runtime waits", () => {
    const fd = findRuntimeEvents();
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe("anon_inode:[eventpoll]");
    expect(findRuntimeEvents()).toBe(fd);
  });

  test("finds one that becomes readable when work of the thread pool is done, and quiet when it was handled", async () => {
    const set = new PollSet(1);
    set.add(findRuntimeEvents(), POLLIN);
    for (let round = 0; round < 5; round++) {
      const work = stat("/");
      expect(set.wait(5_000)).toBe(1);
      expect(set.revents(0) & POLLIN).toBe(POLLIN);
      await work;
    }
  });
});
