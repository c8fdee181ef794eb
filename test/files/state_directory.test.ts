import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { stateDirectory } from "../../src/files/state_directory.ts";
import { TempDirectory } from "./temp_directory.ts";

const ownerUid = process.geteuid!();

describe("stateDirectory()", () => {
  test("takes the first directory of the service manager before any other", () => {
    using directory = new TempDirectory();
    const managed = directory.join("managed");
    mkdirSync(managed, 0o700);
    const otherwise = directory.path;
    for (const [value, path] of [
      [managed, managed],
      [`${managed}:/elsewhere`, managed],
      ["", otherwise],
      [undefined, otherwise],
    ] as const) {
      const env = { STATE_DIRECTORY: value };
      expect(stateDirectory({ env, otherwise, ownerUid })).toEqual({ ok: true, path });
    }
  });

  test("refuses one in which others may write, a relative one, and one that is missing", () => {
    using directory = new TempDirectory();
    const open = directory.join("open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    for (const [path, found] of [
      [open, `the directory ${open} with mode 0777`],
      ["varta", 'the relative path "varta"'],
      [directory.join("none"), `no directory ${directory.join("none")}`],
    ] as const) {
      const env = { STATE_DIRECTORY: path };
      const state = stateDirectory({ env, otherwise: directory.path, ownerUid });
      expect(state).toMatchObject({ ok: false, path, fault: { found } });
    }
  });
});
