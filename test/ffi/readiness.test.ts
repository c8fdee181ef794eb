// Readiness by epoll and by poll(2): the same answers from both.
import { afterEach, describe, expect, test } from "bun:test";
import { writeSync } from "node:fs";
import { IS_LINUX, POLLHUP, POLLIN } from "../../ffi/constants.ts";
import { closeFd, openPipe, readPipe } from "../../ffi/pipe.ts";
import { PollSet } from "../../ffi/poll.ts";
import { EpollReadiness, PolledReadiness, type Readiness } from "../../ffi/readiness.ts";

const BATCH = 2;
const KINDS: readonly (readonly [string, () => Readiness])[] = [
  ["PolledReadiness", () => new PolledReadiness(8, BATCH)],
  ...(IS_LINUX ? [["EpollReadiness", () => new EpollReadiness(BATCH)] as const] : []),
];

const open: number[] = [];
afterEach(() => open.splice(0).forEach(closeFd));

function pipe(): { readFd: number; writeFd: number } {
  const made = openPipe();
  if (typeof made === "number") throw new Error(`no pipe: ${made}`);
  open.push(made.readFd, made.writeFd);
  return made;
}

/** What a look-up finds: descriptor and events. */
function looked(readiness: Readiness): [number, number][] {
  const count = readiness.look();
  return Array.from({ length: count }, (_, i) => [readiness.readyFd(i), readiness.readyEvents(i)]);
}

describe.each(KINDS)("%s", (_name, make) => {
  test("reports of what is ready, as long as it is", () => {
    const readiness = make();
    const [a, b] = [pipe(), pipe()];
    expect([readiness.add(a.readFd, POLLIN), readiness.add(b.readFd, POLLIN)]).toEqual([0, 0]);
    expect(looked(readiness)).toEqual([]);
    writeSync(b.writeFd, "x");
    expect(looked(readiness)).toEqual([[b.readFd, POLLIN]]);
    expect(looked(readiness)).toEqual([[b.readFd, POLLIN]]);
    readPipe(b.readFd, new Uint8Array(new ArrayBuffer(8)), 8);
    expect(looked(readiness)).toEqual([]);
    readiness.close();
  });

  test("reports of nothing that was removed, or that nothing waits for", () => {
    const readiness = make();
    const { readFd, writeFd } = pipe();
    readiness.add(readFd, POLLIN);
    writeSync(writeFd, "x");
    readiness.change(readFd, 0);
    expect(looked(readiness)).toEqual([]);
    readiness.change(readFd, POLLIN);
    expect(looked(readiness)).toEqual([[readFd, POLLIN]]);
    readiness.remove(readFd);
    expect(looked(readiness)).toEqual([]);
    readiness.add(readFd, POLLIN);
    expect(looked(readiness)).toEqual([[readFd, POLLIN]]);
    readiness.close();
  });

  test("reports of the end of the other side in every case", () => {
    const readiness = make();
    const { readFd, writeFd } = pipe();
    readiness.add(readFd, 0);
    closeFd(writeFd);
    open.splice(open.indexOf(writeFd), 1);
    expect(looked(readiness)).toEqual([[readFd, POLLHUP]]);
    readiness.close();
  });

  test("passes over none when more are ready than it reports at a time", () => {
    const readiness = make();
    const pipes = Array.from({ length: 5 }, pipe);
    for (const { readFd, writeFd } of pipes) {
      readiness.add(readFd, POLLIN);
      writeSync(writeFd, "x");
    }
    const seen = new Set<number>();
    for (let look = 0; look < 3; look++) for (const [fd] of looked(readiness)) seen.add(fd);
    expect(seen.size).toBe(5);
    readiness.close();
  });
});

test.skipIf(!IS_LINUX)("EpollReadiness can itself be waited for", () => {
  const readiness = new EpollReadiness(BATCH);
  const { readFd, writeFd } = pipe();
  readiness.add(readFd, POLLIN);
  const set = new PollSet(1);
  set.add(readiness.fd, POLLIN);
  expect(set.wait(0)).toBe(0);
  writeSync(writeFd, "x");
  expect(set.wait(0)).toBe(1);
  readiness.close();
});
