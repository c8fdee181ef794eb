// Key files: what is read, and what a message may say about what is not.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KeyFilePaths, readKeyFiles } from "../../src/secrets/key_file.ts";

const UID = process.getuid!();
const K1 = "0123456789abcdef".repeat(4);
const K2 = "fedcba9876543210".repeat(4);
const K3 = "a5".repeat(32);
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-keys-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function read(paths: Partial<KeyFilePaths>) {
  const none = { keyFile: undefined, acceptedKeyFile: undefined, masterKeyFile: undefined };
  return readKeyFiles({ ...none, ...paths }, UID);
}

function problemsOf(paths: Partial<KeyFilePaths>): readonly string[] {
  const result = read(paths);
  if (result.ok) throw new Error("the files were accepted");
  return result.problems;
}

describe("readKeyFiles()", () => {
  test("puts the primary key first and the accepted ones after it in their order", () => {
    const result = read({
      keyFile: file("primary", `${K2}\n`),
      acceptedKeyFile: file("accepted", `# old\n\n ${K1} # until May\n\t${K3.toUpperCase()}\n`),
      masterKeyFile: file("master", K1),
    });
    expect(result.ok && result.keys.shared.map((key) => key.toHex())).toEqual([K2, K1, K3]);
    expect(result.ok && result.keys.master!.toHex()).toBe(K1);
  });

  test("works with any one of the three files", () => {
    const path = file("alone", K1);
    for (const name of ["keyFile", "acceptedKeyFile", "masterKeyFile"] as const) {
      const result = read({ [name]: path });
      expect(result.ok && result.keys.shared).toHaveLength(name === "masterKeyFile" ? 0 : 1);
      expect(result.ok && result.keys.master !== undefined).toBe(name === "masterKeyFile");
    }
    expect(problemsOf({})).toEqual(["there is no key at all; want a shared key or a master key"]);
  });

  test("gives every key an array of its own, so that one can be overwritten", () => {
    const path = file("same", K1);
    const result = read({ keyFile: path, masterKeyFile: path });
    if (!result.ok) throw new Error("the files are fine");
    result.keys.shared[0]!.fill(0);
    expect(result.keys.master!.toHex()).toBe(K1);
  });

  test("takes eight shared keys, each of them once", () => {
    const keys = Array.from({ length: 9 }, (_, i) => `${i}`.repeat(64));
    const eight = file("eight", keys.slice(0, 8).join("\n"));
    expect(read({ acceptedKeyFile: eight }).ok).toBe(true);
    expect(problemsOf({ acceptedKeyFile: eight, keyFile: file("ninth", keys[8]!) })).toEqual([
      "there are 9 shared keys; want at most 8",
    ]);
    expect(
      problemsOf({ keyFile: file("once", K1), acceptedKeyFile: file("twice", K1.toUpperCase()) }),
    ).toEqual(["a shared key is there twice; want each shared key once"]);
  });

  test("reports every file at fault, and hands out no key of the others", () => {
    const link = join(directory, "link");
    symlinkSync(file("target", K1), link);
    const loose = file("loose", K1);
    chmodSync(loose, 0o640);
    const accepted = file("broken", `${K1}\nxyz\n${K2.slice(1)}g`);
    expect(problemsOf({ keyFile: link, acceptedKeyFile: accepted, masterKeyFile: loose })).toEqual([
      `found ${link}, which is a symlink; want a regular file: it must not be a symlink`,
      `${accepted} has 3 characters in line 2; want exactly 64 hex digits`,
      `${accepted} has "g" at position 64 in line 3; want exactly 64 hex digits`,
      `found ${loose} with mode 0640; want mode 0600 or stricter`,
    ]);
  });

  test("wants at least one key in a list", () => {
    const path = file("comments", "# nothing\n\n");
    expect(problemsOf({ acceptedKeyFile: path })).toEqual([
      `${path} has no key; want at least one of 64 hex digits, one per line`,
    ]);
  });

  test("takes one key in a file for one key, not the first of several", () => {
    const path = file("two", `${K1}\n${K2}`);
    expect(problemsOf({ keyFile: path })).toEqual([
      `${path} has 129 characters; want exactly 64 hex digits`,
    ]);
  });

  test("never repeats a piece of a key in a problem", () => {
    const broken = [K1.slice(0, 63), `${K1}0`, `${K1.slice(0, 20)}z${K1.slice(21)}`, `${K1} ${K2}`];
    for (const content of broken)
      for (const name of ["keyFile", "acceptedKeyFile", "masterKeyFile"] as const) {
        const text = problemsOf({ [name]: file("leak", content) }).join("\n");
        for (let at = 0; at + 8 <= 64; at++) {
          expect(text).not.toContain(K1.slice(at, at + 8));
          expect(text).not.toContain(K2.slice(at, at + 8));
        }
      }
  });
});
