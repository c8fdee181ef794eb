import { closeSync, openSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { readAtMost } from "../../src/files/read_at_most.ts";
import { TempDirectory } from "./temp_directory.ts";

describe("readAtMost()", () => {
  test.each([
    [0, 0],
    [3, 3],
    [4, 4],
    [5, 4],
  ])("of a file of %i bytes gives %i, where 4 are the bound", (size, length) => {
    using directory = new TempDirectory();
    const content = Uint8Array.from({ length: size }, (_, index) => index + 1);
    writeFileSync(directory.join("file"), content);
    const fd = openSync(directory.join("file"), "r");
    try {
      expect(readAtMost(fd, 4)).toEqual(content.subarray(0, length));
    } finally {
      closeSync(fd);
    }
  });
});
