// The writer in front of stdout and stderr (spec 12 section 7): bounded, never in the way, whole
// lines only. A FIFO that is not read is a stderr that is stuck.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { NS_PER_MS } from "../../src/base/time.ts";
import { StreamWriter } from "../../src/daemon/stream_writer.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const QUEUE_BYTES_MAX = 256 * 1024;
const RETRY_NS = 50 * NS_PER_MS;

const opened: number[] = [];
afterEach(() => {
  for (const fd of opened.splice(0)) closeSync(fd);
});

function open(path: string, flags: number): number {
  const fd = openSync(path, flags);
  opened.push(fd);
  return fd;
}

interface Pipe {
  /** Written by the writer; blocking or not, as stderr may be. */
  readonly writeFd: number;
  /** Everything that waits in the pipe now. */
  read(): string;
}

function pipe(directory: TemporaryDirectory, writeFlags: number): Pipe {
  const path = directory.at("stderr");
  if (!Bun.spawnSync(["mkfifo", path]).success) throw new Error("mkfifo failed");
  // Linux opens a FIFO for both directions without a peer.
  const writeFd = open(path, constants.O_RDWR | writeFlags);
  const readFd = open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(1 << 16);
  return {
    writeFd,
    read() {
      let text = "";
      for (;;) {
        try {
          const count = readSync(readFd, buffer, 0, buffer.length, null);
          if (count === 0) return text;
          text += buffer.toString("latin1", 0, count);
        } catch {
          return text;
        }
      }
    },
  };
}

/** A line of 100 bytes. */
function line(number: number): string {
  return `${`line ${number} `.padEnd(99, ".")}\n`;
}

function expectWholeLines(text: string, count: number): void {
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(count);
  let previous = -1;
  for (const one of lines) {
    expect(one).toHaveLength(99);
    const number = Number(one.split(" ")[1]);
    expect(number).toBeGreaterThan(previous);
    previous = number;
  }
}

describe("StreamWriter", () => {
  test("writes lines in their order and is idle then", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("log");
    const fd = open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND);
    const writer = new StreamWriter({ nowNs: () => 0, fd });
    expect(writer.idle).toBe(true);
    for (let i = 0; i < 500; i++) writer.write(line(i));
    expect(writer.idle).toBe(false);
    await until("the lines to be written", () => writer.idle);
    expectWholeLines(readFileSync(path, "latin1"), 500);
    expect(writer.dropped).toBe(0);
    expect(writer.nextDeadlineNs).toBe(Number.POSITIVE_INFINITY);
  });

  test("keeps a bounded number of lines for a full non-blocking stderr, counts the rest, and goes on later", async () => {
    using directory = new TemporaryDirectory();
    const stuck = pipe(directory, constants.O_NONBLOCK);
    let nowNs = 1_000;
    const writer = new StreamWriter({ nowNs: () => nowNs, fd: stuck.writeFd });
    let written = 0;
    for (let i = 0; i < 700; i++) writer.write(line(written++));
    await until("the pipe to be full", () => writer.nextDeadlineNs !== Number.POSITIVE_INFINITY);
    expect(writer.nextDeadlineNs).toBe(nowNs + RETRY_NS);
    expect(writer.dropped).toBe(0);
    while (writer.dropped < 100) writer.write(line(written++));
    // What the pipe holds, what is being written, and the queue: no more than that is kept.
    expect((written - writer.dropped) * 100).toBeLessThanOrEqual(70_000 + QUEUE_BYTES_MAX);

    writer.maintain(nowNs + RETRY_NS - 1);
    expect(writer.nextDeadlineNs).toBe(nowNs + RETRY_NS);
    let text = "";
    await until("the lines to be written", () => {
      text += stuck.read();
      nowNs += RETRY_NS;
      writer.maintain(nowNs);
      return writer.idle;
    });
    text += stuck.read();
    expect(writer.dropped).toBe(100);
    expectWholeLines(text, written - 100);
  });

  test("never waits for a full blocking stderr, nor does a thread of the pool", async () => {
    using directory = new TemporaryDirectory();
    const stuck = pipe(directory, 0);
    let nowNs = 1_000;
    const writer = new StreamWriter({ nowNs: () => nowNs, fd: stuck.writeFd });
    let written = 0;
    // A write that blocked here would block for ever: nothing is read yet.
    while (writer.dropped < 10) writer.write(line(written++));
    await until("the pipe to be full", () => writer.nextDeadlineNs !== Number.POSITIVE_INFINITY);
    // A thread that hung in a write would take what is read here without being asked.
    const filled = stuck.read();
    await Bun.sleep(20);
    expect(stuck.read()).toBe("");
    let text = filled;
    await until("the lines to be written", () => {
      text += stuck.read();
      nowNs += RETRY_NS;
      writer.maintain(nowNs);
      return writer.idle;
    });
    text += stuck.read();
    expectWholeLines(text, written - 10);
  });

  test("writes pieces of whole lines, so that lines of others that share the pipe stay whole", async () => {
    using directory = new TemporaryDirectory();
    const shared = pipe(directory, 0);
    const writer = new StreamWriter({ nowNs: () => 0, fd: shared.writeFd });
    writer.write(line(0));
    // These wait until the first line is written, and go as one.
    for (let i = 1; i < 100; i++) writer.write(line(i));
    let text = "";
    await until("the lines to be written", () => {
      const piece = shared.read();
      expect(piece.length % 100).toBe(0);
      text += piece;
      return writer.idle;
    });
    expectWholeLines(text + shared.read(), 100);
  });

  test("counts lines that the system refuses, and takes the next ones", async () => {
    const writer = new StreamWriter({ nowNs: () => 0, fd: open("/dev/full", constants.O_WRONLY) });
    writer.write(line(0));
    for (let i = 1; i < 10; i++) writer.write(line(i));
    await until("the lines to be refused", () => writer.idle);
    expect(writer.dropped).toBe(10);
    writer.write(line(10));
    await until("one more line to be refused", () => writer.idle);
    expect(writer.dropped).toBe(11);
  });

  test("refuses a line that is longer than its whole queue", () => {
    const writer = new StreamWriter({ nowNs: () => 0, fd: open("/dev/null", constants.O_WRONLY) });
    writer.write(`${"x".repeat(QUEUE_BYTES_MAX)}\n`);
    expect([writer.dropped, writer.idle]).toEqual([1, true]);
  });
});
