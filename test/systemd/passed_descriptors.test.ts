import { describe, expect, test } from "bun:test";
import { passedDescriptors } from "../../src/systemd/passed_descriptors.ts";

function passed(env: Record<string, string>): [number, string][] {
  return passedDescriptors({ LISTEN_PID: "41", ...env }, 41).map(({ fd, name }) => [fd, name]);
}

describe("passedDescriptors()", () => {
  test("numbers them from 3 on, each with its name", () => {
    expect(passed({ LISTEN_FDS: "3", LISTEN_FDNAMES: "a:varta-watch.socket:b" })).toEqual([
      [3, "a"],
      [4, "varta-watch.socket"],
      [5, "b"],
    ]);
  });

  test("knows of them without names, and of no more than the number says", () => {
    expect(passed({ LISTEN_FDS: "2" })).toEqual([
      [3, ""],
      [4, ""],
    ]);
    expect(passed({ LISTEN_FDS: "1", LISTEN_FDNAMES: "a:b" })).toEqual([[3, "a"]]);
  });

  test("leaves alone what was handed to another process, which this one inherited it from", () => {
    expect(passed({ LISTEN_FDS: "1", LISTEN_PID: "42" })).toEqual([]);
    expect(passedDescriptors({ LISTEN_FDS: "1" }, 41)).toEqual([]);
  });

  test.each(["", "0", "-1", "1.5", "1e3", " 1", "4097", "99999", "100000"])(
    "takes LISTEN_FDS=%p for no descriptor",
    (LISTEN_FDS) => {
      expect(passed({ LISTEN_FDS })).toEqual([]);
    },
  );

  test("takes as many as there can be", () => {
    expect(passed({ LISTEN_FDS: "4096" })).toHaveLength(4_096);
  });
});
