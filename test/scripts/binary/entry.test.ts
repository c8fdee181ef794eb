// The entry point of the executable: that it goes where the runtime's own would, for both
// processors, and is found again. What it does is tried on the executable itself (test/binary).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { elfOf } from "../../../scripts/binary/elf.ts";
import { entryProblems, installEntry, removeEntry } from "../../../scripts/binary/entry.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const BASE = 0x20_0000;
const ENTRY = BASE + 0xf00;
const TEXT = 0x400;

interface Shape {
  readonly machine: number;
  readonly roomBytes?: number;
  readonly imports?: readonly string[];
}

/**
 * An executable of one segment, with uv_cwd at TEXT, some imports, and the runtime's entry at
 * ENTRY.
 */
function executable({ machine, roomBytes = 191, imports = ["setrlimit", "getrlimit"] }: Shape) {
  const file = Buffer.alloc(0x1000);
  file.writeUInt32BE(0x7f454c46, 0);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(BigInt(ENTRY), 24);
  file.writeBigUInt64LE(64n, 32); // e_phoff
  file.writeBigUInt64LE(0x800n, 40); // e_shoff
  file.writeUInt16LE(1, 56); // e_phnum
  file.writeUInt16LE(2, 60); // e_shnum
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeBigUInt64LE(BigInt(BASE), 64 + 16);
  file.writeBigUInt64LE(0x1000n, 64 + 32);
  const names = ["uv_cwd", ...imports];
  file.write(`\0${names.join("\0")}\0`, 0x200, "latin1");
  let nameAt = 1;
  names.forEach((name, index) => {
    const at = 0x300 + index * 24;
    file.writeUInt32LE(nameAt, at);
    nameAt += name.length + 1;
    if (index > 0) return;
    file.writeUInt16LE(1, at + 6);
    file.writeBigUInt64LE(BigInt(BASE + TEXT), at + 8);
    file.writeBigUInt64LE(BigInt(roomBytes), at + 16);
  });
  section(file, 0, { type: 11, offset: 0x300, size: names.length * 24, link: 1 });
  section(file, 1, { type: 3, offset: 0x200, size: 0x100, link: 0 });
  return file;
}

function section(
  file: Buffer,
  index: number,
  fields: { readonly type: number; readonly offset: number; readonly size: number; link: number },
): void {
  const at = 0x800 + index * 64;
  file.writeUInt32LE(fields.type, at + 4);
  file.writeBigUInt64LE(BigInt(fields.offset), at + 24);
  file.writeBigUInt64LE(BigInt(fields.size), at + 32);
  file.writeUInt32LE(fields.link, at + 40);
}

describe("installEntry()", () => {
  test.each([EM_X86_64, EM_AARCH64])(
    "leads machine %d to its code and on to the runtime",
    (machine) => {
      const file = executable({ machine });
      expect(entryProblems(file)).toEqual([
        "starts with the runtime, not with the entry point of its own",
        "raises the limit of descriptors by itself",
      ]);
      installEntry(file);
      expect(entryProblems(file)).toEqual([]);
      expect(elfOf(file).entry).toBe(BASE + TEXT);
      removeEntry(file);
      expect(elfOf(file).entry).toBe(ENTRY);
    },
  );

  test("jumps by the processor's own encoding, forward and back", () => {
    const x64 = executable({ machine: EM_X86_64 });
    installEntry(x64);
    // jmp rel32 at 0x45a counts from its end, 0x45f.
    expect(x64.readUInt8(TEXT + 0x5a)).toBe(0xe9);
    expect(x64.readInt32LE(TEXT + 0x5b)).toBe(0xf00 - 0x45f);
    const arm64 = executable({ machine: EM_AARCH64 });
    elfOf(arm64).setEntry(BASE + 0x100);
    installEntry(arm64);
    // b imm26, in words, counted from itself at 0x47c.
    expect(arm64.readUInt32LE(TEXT + 0x7c)).toBe(
      0x1400_0000 | (((0x100 - 0x47c) / 4) & 0x3ff_ffff),
    );
    removeEntry(arm64);
    expect(elfOf(arm64).entry).toBe(BASE + 0x100);
  });

  test("makes the runtime ask for the limit of descriptors where it would raise it", () => {
    const file = executable({ machine: EM_X86_64 });
    installEntry(file);
    expect(elfOf(file).imports("setrlimit")).toBe(false);
    expect(file.toString("latin1", 0x200, 0x220)).toContain("uv_cwd\0getrlimit\0getrlimit\0");
  });

  test("refuses a processor, a runtime without room, and one that takes other functions", () => {
    const room = /found no room in uv_cwd for machine/;
    expect(() => installEntry(executable({ machine: 243 }))).toThrow(room);
    expect(() => installEntry(executable({ machine: EM_X86_64, roomBytes: 90 }))).toThrow(room);
    const imports = ["getrlimit"];
    const other = executable({ machine: EM_X86_64, imports });
    expect(() => installEntry(other)).toThrow("Cannot make the runtime take getrlimit");
    expect(() => installEntry(Buffer.from("MZ"))).toThrow();
  });

  test("is not expected of an executable for macOS", () => {
    const machO = Buffer.alloc(64);
    machO.writeUInt32LE(0xfeedfacf, 0);
    expect(entryProblems(machO)).toEqual([]);
  });

  test("finds a changed byte of its code", () => {
    const file = executable({ machine: EM_AARCH64 });
    installEntry(file);
    file[TEXT + 5]! ^= 1;
    expect(entryProblems(file)).toHaveLength(1);
  });

  test.skipIf(process.platform !== "linux")("fits the runtime that runs this test", () => {
    const runtime = readFileSync(process.execPath);
    installEntry(runtime);
    expect(entryProblems(runtime)).toEqual([]);
  });
});
