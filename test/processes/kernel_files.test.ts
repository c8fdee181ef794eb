import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { FILE_GONE, KernelFiles } from "../../src/processes/kernel_files.ts";
import { SpareDescriptors } from "../../src/processes/spare_descriptors.ts";
import { withNoDescriptorLeft } from "../support/descriptor_limit.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const STAT = "/proc/self/stat";

describe("KernelFiles", () => {
  test.each([0, 1, 4_095, 4_096, 4_097, 40_000])(
    "reads up to %p bytes, and no more",
    (bytesMax) => {
      using directory = new TemporaryDirectory();
      const text = "x".repeat(20_000);
      writeFileSync(directory.at("file"), text);
      const found = new KernelFiles().text(directory.at("file"), bytesMax);
      expect(found.length).toBe(Math.min(bytesMax, 20_000));
    },
  );

  test("reads bytes that are no UTF-8 as one character each", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("file"), Buffer.from([0x41, 0xff, 0xc3]));
    expect(new KernelFiles().text(directory.at("file"), 16)).toBe("A\xff\xc3");
  });

  test("tells a file that is gone from one that cannot be read, and has no text of either", () => {
    using directory = new TemporaryDirectory();
    const files = new KernelFiles();
    expect(files.read(directory.at("none"), 16)).toBe(FILE_GONE);
    expect(files.read(directory.path, 16)).toBeLessThan(FILE_GONE);
    expect([files.text(directory.at("none"), 16), files.text(directory.path, 16)]).toEqual([
      "",
      "",
    ]);
  });

  test.if(process.platform === "linux")("needs no descriptor but the spare ones", () => {
    const [spared, bare] = [new KernelFiles(new SpareDescriptors()), new KernelFiles()];
    const found: boolean[] = [];
    withNoDescriptorLeft(() => {
      for (const files of [spared, spared, bare]) found.push(files.text(STAT, 512) !== "");
    });
    expect(found).toEqual([true, true, false]);
  });
});
