import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { countLines, LineQueue } from "../../src/files/line_queue.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const ALL = Number.POSITIVE_INFINITY;

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

describe("LineQueue", () => {
  test("peek() gives whole lines up to the limit, or one line that is longer", () => {
    const queue = new LineQueue(100);
    queue.append(Buffer.from("one\ntwo\nthree\n"));
    expect(text(queue.peek(100, ALL))).toBe("one\ntwo\nthree\n");
    expect(text(queue.peek(9, ALL))).toBe("one\ntwo\n");
    expect(text(queue.peek(2, ALL))).toBe("one\n");
  });

  test("peek() stops with the line that reaches a size", () => {
    const queue = new LineQueue(100);
    queue.append(Buffer.from("one\ntwo\nthree\n"));
    for (const [bytes, lines] of [
      [0, "one\n"],
      [1, "one\n"],
      [4, "one\n"],
      [5, "one\ntwo\n"],
      [13, "one\ntwo\nthree\n"],
      [99, "one\ntwo\nthree\n"],
    ] as const) {
      expect(text(queue.peek(100, bytes))).toBe(lines);
    }
  });

  test("append() refuses what does not fit, and takes it after a consume", () => {
    const queue = new LineQueue(10);
    expect(queue.append(Buffer.from("12345\n"))).toBe(true);
    expect(queue.append(Buffer.from("1234\n"))).toBe(false);
    expect(queue.sizeBytes).toBe(6);
    queue.consume(6);
    expect(queue.append(Buffer.from("123456789\n"))).toBe(true);
  });

  test("append() asserts whole lines", () => {
    const queue = new LineQueue(10);
    expect(() => queue.append(Buffer.from("12345"))).toThrow("whole lines");
    expect(() => queue.append(new Uint8Array(0))).toThrow("whole lines");
  });

  test("behaves like a list of lines under any sequence of calls", () => {
    const step = fc.oneof(
      fc.record({
        append: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({ limit: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new LineQueue(64);
        let twin = "";
        let letter = 0;
        for (const one of steps) {
          if ("append" in one) {
            const lines = one.append
              .map((size) => `${String.fromCharCode(97 + (letter++ % 26)).repeat(size)}\n`)
              .join("");
            if (queue.append(Buffer.from(lines))) twin += lines;
            else expect(twin.length + lines.length).toBeGreaterThan(64 / 2);
          } else {
            const front = text(queue.peek(one.limit, ALL));
            expect(twin.startsWith(front)).toBe(true);
            expect(front === "" || front.endsWith("\n")).toBe(true);
            expect(front === "").toBe(twin === "");
            queue.consume(front.length);
            twin = twin.slice(front.length);
          }
          expect(queue.sizeBytes).toBe(twin.length);
        }
      }),
    );
  });
});

test("countLines() counts line ends", () => {
  expect(countLines(Buffer.from(""))).toBe(0);
  expect(countLines(Buffer.from("a\n\nb\nc"))).toBe(3);
});
