// Ends of real processes that are children of others (spec 14 sections 1 and 2).
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { closeFd, openPipe } from "../../ffi/pipe.ts";
import { PollSet } from "../../ffi/poll.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import {
  EndWatch,
  type EndWatchOptions,
  type ProcessEnd,
  WATCH_BEGUN,
  WATCH_GONE,
  WATCH_REFUSED,
} from "../../src/processes/end_watch.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { atLength } from "../support/at_length.ts";
import { withNoDescriptorLeft } from "../support/descriptor_limit.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { foreignChild } from "../support/foreign_children.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const processes = new ProcReader();
const POLLIN = 1;
const PROCESSES = atLength(200, 1_000);

/** Reads what a user reads of a process of another one. */
class StrangersReader extends ProcReader {
  override zombieStatus(): number {
    return Number.NaN;
  }
}

const watches: EndWatch[] = [];

afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

function endWatch(
  options: Partial<Omit<EndWatchOptions, "processes">> & { reader?: ProcReader } = {},
) {
  const watch = new EndWatch({
    processes: options.reader ?? processes,
    pidfdsMax: 100,
    openFilesMax: Number.POSITIVE_INFINITY,
    kernelTells: true,
    ...options,
  });
  watches.push(watch);
  return watch;
}

function look(watch: EndWatch, nowNs = 0): ProcessEnd[] {
  const ends: ProcessEnd[] = [];
  watch.look(nowNs, (end) => ends.push(end));
  return ends;
}

async function nextEnds(watch: EndWatch): Promise<ProcessEnd[]> {
  let ends: ProcessEnd[] = [];
  await until("an end", () => {
    ends = look(watch);
    return ends.length > 0;
  });
  return ends;
}

function isReadable(watch: EndWatch): boolean {
  const set = new PollSet(1);
  set.add(watch.fd, POLLIN);
  return set.wait(0) === 1;
}

describe.if(IS_LINUX)("EndWatch", () => {
  test.each([
    ["exit 0", 0],
    ["exit 143", 143 * 256],
    ["kill -KILL $BASHPID", 9],
  ])("tells once, with its status, the end of a process after %p", async (then, waitStatus) => {
    const watch = endWatch();
    const child = await foreignChild(then);
    const generation = processes.startTime(child.pid);
    expect(watch.watch(child.pid, generation)).toBe(WATCH_BEGUN);
    expect(watch.isWatching(child.pid, generation)).toBeTrue();
    expect(look(watch)).toEqual([]);
    expect(isReadable(watch)).toBeFalse();
    child.go();
    expect(await nextEnds(watch)).toEqual([{ pid: child.pid, generation, waitStatus, seenNs: 0 }]);
    expect(watch.count).toBe(0);
    expect(look(watch, 10 * NS_PER_S)).toEqual([]);
  });

  test("tells the status of a zombie at once to those who may know it, and does not spin", async () => {
    const watch = endWatch();
    for (const status of [3, 0]) {
      const child = await foreignChild(`exit ${status}`, false);
      const generation = processes.startTime(child.pid);
      watch.watch(child.pid, generation);
      child.go();
      const waitStatus = status * 256;
      expect(await nextEnds(watch)).toEqual([
        { pid: child.pid, generation, waitStatus, seenNs: 0 },
      ]);
      expect(processes.isZombie(child.pid)).toBeTrue();
      expect(isReadable(watch)).toBeFalse();
      expect(watch.count).toBe(0);
    }
  });

  test("waits quietly for a second for a status that only the parent has, then it is unknown", async () => {
    const watch = endWatch({ reader: new StrangersReader() });
    const child = await foreignChild("exit 3", false);
    const generation = processes.startTime(child.pid);
    watch.watch(child.pid, generation);
    child.go();
    await until("it to be seen", () => {
      expect(look(watch, 1)).toEqual([]);
      return watch.nextDeadlineNs() === 1 + NS_PER_S;
    });
    expect(isReadable(watch)).toBeFalse();
    expect(look(watch, NS_PER_S)).toEqual([]);
    expect(look(watch, 1 + NS_PER_S)).toEqual([
      { pid: child.pid, generation, waitStatus: Number.NaN, seenNs: 1 },
    ]);
    expect(watch.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(watch.count).toBe(0);
  });

  test("waits for no status that the kernel never tells", async () => {
    const watch = endWatch({ reader: new StrangersReader(), kernelTells: false });
    const child = await foreignChild("exit 3", false);
    const generation = processes.startTime(child.pid);
    watch.watch(child.pid, generation);
    child.go();
    const [end] = await nextEnds(watch);
    expect(end).toMatchObject({ pid: child.pid, waitStatus: Number.NaN });
    expect(watch.count).toBe(0);
  });

  test("calls for another descriptor that it attends when that is readable", () => {
    const watch = endWatch();
    const pipe = openPipe();
    if (typeof pipe === "number") throw new Error("there is no pipe");
    const { readFd, writeFd } = pipe;
    let calls = 0;
    expect(watch.attend(readFd, () => calls++)).toBeTrue();
    expect(isReadable(watch)).toBeFalse();
    look(watch);
    expect(calls).toBe(0);
    writeSync(writeFd, "x");
    expect(isReadable(watch)).toBeTrue();
    look(watch);
    expect(calls).toBe(1);
    watch.leave(readFd);
    expect(isReadable(watch)).toBeFalse();
    look(watch);
    expect(calls).toBe(1);
    closeFd(readFd);
    closeFd(writeFd);
  });

  test("tells the status of a zombie that is reaped within that second", async () => {
    const watch = endWatch({ reader: new StrangersReader() });
    const child = await foreignChild("exit 3", false);
    const generation = processes.startTime(child.pid);
    watch.watch(child.pid, generation);
    child.go();
    await until("it to be seen", () => {
      look(watch);
      return watch.nextDeadlineNs() < Number.POSITIVE_INFINITY;
    });
    child.reap();
    const [end] = await nextEnds(watch);
    expect(end).toMatchObject({ pid: child.pid, generation });
    expect([768, Number.NaN]).toContain(end!.waitStatus);
  });

  test("watches no other process than the one that is meant", async () => {
    const watch = endWatch();
    const child = await foreignChild("exit 0");
    const generation = processes.startTime(child.pid);
    expect(watch.watch(child.pid, generation - 1)).toBe(WATCH_GONE);
    expect(watch.watch(child.pid, Number.NaN)).toBe(WATCH_GONE);
    expect(watch.watch(2 ** 22 + 1, 1)).toBe(WATCH_GONE);
    expect(watch.count).toBe(0);
    child.go();
  });

  test("of a pid has the process that was named last", async () => {
    const watch = endWatch();
    const before = openDescriptors();
    const generation = processes.startTime(process.pid);
    expect(watch.watch(process.pid, generation)).toBe(WATCH_BEGUN);
    expect(watch.watch(process.pid, generation)).toBe(WATCH_BEGUN);
    expect(watch.count).toBe(1);
    expect(watch.watch(process.pid, generation + 1)).toBe(WATCH_GONE);
    expect(watch.isWatching(process.pid, generation)).toBeFalse();
    expect(openedSince(before)).toEqual([]);
  });

  test("tells nothing of a member that was forgotten, and forgets no other one", async () => {
    const watch = endWatch();
    const child = await foreignChild("exit 0");
    const generation = processes.startTime(child.pid);
    watch.watch(child.pid, generation);
    watch.forget(child.pid, generation - 1);
    expect(watch.count).toBe(1);
    watch.forget(child.pid, generation);
    expect(watch.count).toBe(0);
    child.go();
    await until("it to be gone", () => Number.isNaN(processes.startTime(child.pid)));
    expect(look(watch, 10 * NS_PER_S)).toEqual([]);
  });

  test("has no more descriptors than it may, and leaves 512 of the open files to others", () => {
    expect(endWatch({ pidfdsMax: 100, openFilesMax: 1_024 }).capacity).toBe(100);
    expect(endWatch({ pidfdsMax: 10_000, openFilesMax: 1_024 }).capacity).toBe(512);
    expect(endWatch({ openFilesMax: 256 }).capacity).toBe(0);
    const watch = endWatch({ pidfdsMax: 1 });
    const children = [Bun.spawn(["sleep", "60"]), Bun.spawn(["sleep", "60"])];
    const codes = children.map(({ pid }) => watch.watch(pid, processes.startTime(pid)));
    expect(codes).toEqual([WATCH_BEGUN, WATCH_REFUSED]);
    expect(watch.refused).toBe(1);
    for (const child of children) child.kill("SIGKILL");
  });

  test("those that got no descriptor get one when there is room, and their end is seen", async () => {
    const watch = endWatch({ pidfdsMax: 1 });
    const children = [await foreignChild("exit 0"), await foreignChild("exit 3")];
    const [first, second] = children.map(({ pid }) => [pid, processes.startTime(pid)] as const);
    expect(watch.watch(...first!)).toBe(WATCH_BEGUN);
    expect(watch.watch(...second!)).toBe(WATCH_REFUSED);
    watch.watchLeftOut();
    expect(watch.isWatching(...second!)).toBeFalse();
    watch.forget(...first!);
    watch.watchLeftOut();
    expect(watch.isWatching(...second!)).toBeTrue();
    expect(watch.refused).toBe(1);
    children[1]!.go();
    await until("its end", () => look(watch).some(({ pid }) => pid === second![0]));
    expect(watch.watch(...first!)).toBe(WATCH_BEGUN);
    expect(watch.watch(process.pid, processes.startTime(process.pid))).toBe(WATCH_REFUSED);
    watch.forget(process.pid, processes.startTime(process.pid));
    watch.forget(...first!);
    watch.watchLeftOut();
    expect(watch.count).toBe(0);
    children[0]!.go();
  });

  test("refuses when no descriptor is left, and watches again when there is one", () => {
    const generation = processes.startTime(process.pid);
    const stated = Object.assign(new ProcReader(), { startTime: () => generation });
    const watch = endWatch({ reader: stated });
    withNoDescriptorLeft(() => {
      expect(watch.watch(process.pid, generation)).toBe(WATCH_REFUSED);
    });
    expect(watch.watch(process.pid, generation)).toBe(WATCH_BEGUN);
  });

  test(`leaves no descriptor open, over ${PROCESSES} processes in the hands of one shell`, async () => {
    const before = openDescriptors();
    const watch = endWatch({ pidfdsMax: 2 * PROCESSES });
    const shell = Bun.spawn(
      ["/bin/bash", "-c", `for i in {1..${PROCESSES}}; do sleep 0.2 & echo $!; done; wait`],
      { stdout: "pipe" },
    );
    let begun = 0;
    let ended = 0;
    let text = "";
    for await (const piece of shell.stdout) {
      text += new TextDecoder().decode(piece);
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const pid of lines.map(Number))
        if (watch.watch(pid, processes.startTime(pid)) === WATCH_BEGUN) begun += 1;
      ended += look(watch).length;
    }
    await until("all ends", () => {
      ended += look(watch).length;
      return ended === begun;
    });
    expect(begun).toBeGreaterThan(PROCESSES / 2);
    expect(watch.count).toBe(0);
    watch.close();
    watches.length = 0;
    // Until then the runtime has a descriptor of the shell itself.
    await shell.exited;
    expect(openedSince(before).filter((one) => one.includes("pidfd"))).toEqual([]);
  });
});
