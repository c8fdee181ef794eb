// Whether a process runs, by what the kernel counts of its threads (spec 18 section 6.1).
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { ThreadRuns } from "../../src/processes/thread_runs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function withThreads(directory: TemporaryDirectory, threads: Readonly<Record<string, string>>) {
  for (const [thread, text] of Object.entries(threads)) {
    mkdirSync(directory.at(`42/task/${thread}`), { recursive: true });
    writeFileSync(directory.at(`42/task/${thread}/schedstat`), text);
  }
  return new ThreadRuns(undefined, directory.path).of(42);
}

test("counts the runs of all threads of a process", () => {
  using directory = new TemporaryDirectory();
  expect(withThreads(directory, { 42: "900 80 7\n", 43: "5 0 3\n" })).toBe(10);
});

test("reads of a process with many threads no more than 64", () => {
  using directory = new TemporaryDirectory();
  const threads = Array.from({ length: 70 }, (_, i) => [`${100 + i}`, "1 1 1\n"]);
  expect(withThreads(directory, Object.fromEntries(threads))).toBe(64);
});

test("knows nothing of one that is gone, hidden, or has other words there", () => {
  using directory = new TemporaryDirectory();
  expect(new ThreadRuns(undefined, directory.path).of(42)).toBe(Number.NaN);
  expect(withThreads(directory, { 42: "not a count\n" })).toBe(Number.NaN);
});
