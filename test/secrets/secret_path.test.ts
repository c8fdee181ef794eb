// Links to secret files as managers of secrets make them, and links that another user might turn.
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { readSecretFile } from "../../src/secrets/secret_file.ts";
import { secretPath } from "../../src/secrets/secret_path.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const uid = process.geteuid!();
const AS_ROOT = uid === 0;
const SOMEBODY = 65_534;
const NOT_A_LINK = {
  found: "which is a symlink",
  want: "a regular file: it must not be a symlink",
};

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

function at(name: string): string {
  return directory.at(name);
}

/** key -> ..data/key, ..data -> ..2026_11_27 */
function kubernetesVolume(): void {
  mkdirSync(at("..2026_11_27"));
  writeFileSync(at("..2026_11_27/key"), "secret\n", { mode: 0o400 });
  symlinkSync("..2026_11_27", at("..data"));
  symlinkSync("..data/key", at("key"));
}

function textOf(path: string): string | undefined {
  const secret = readSecretFile(path, uid);
  return secret.ok ? new TextDecoder().decode(secret.bytes) : secret.found;
}

describe("secretPath()", () => {
  test("leaves a plain path as it is, also of a file that is missing", () => {
    writeFileSync(at("key"), "");
    for (const name of ["key", "none"])
      expect(secretPath(at(name), uid)).toEqual({ ok: true, path: at(name) });
  });

  test("follows the links of a Kubernetes volume, in a directory like the one of the kubelet", () => {
    kubernetesVolume();
    chmodSync(directory.path, 0o1777);
    expect(secretPath(at("key"), uid)).toEqual({ ok: true, path: at("..2026_11_27/key") });
    expect(textOf(at("key"))).toBe("secret");
  });

  test("judges the file at the end of the links like any other", () => {
    kubernetesVolume();
    chmodSync(at("..2026_11_27/key"), 0o644);
    expect(textOf(at("key"))).toBe("with mode 0644");
  });

  test("follows no link out of the directory", () => {
    mkdirSync(at("inner"));
    for (const target of ["/etc/passwd", "../key", "a/../../key", at("key")]) {
      const path = at(`inner/${crypto.randomUUID()}`);
      symlinkSync(target, path);
      expect(secretPath(path, uid)).toEqual({ ok: false, ...NOT_A_LINK });
    }
  });

  test("follows no link where others may make one", () => {
    kubernetesVolume();
    chmodSync(directory.path, 0o777);
    expect(textOf(at("key"))).toBe(`which is in the directory ${directory.path} with mode 0777`);
  });

  test("follows no link through a directory in which others may write", () => {
    kubernetesVolume();
    chmodSync(at("..2026_11_27"), 0o777);
    expect(textOf(at("key"))).toBe(
      `which is in the directory ${at("..2026_11_27")} with mode 0777`,
    );
  });

  test("gives up a chain of links without an end", () => {
    symlinkSync("there", at("here"));
    symlinkSync("here", at("there"));
    expect(secretPath(at("here"), uid)).toMatchObject({
      found: "which is a chain of links without an end",
    });
  });

  test.skipIf(!AS_ROOT)("follows no link of another user (needs root)", () => {
    kubernetesVolume();
    lchownSync(at("..data"), SOMEBODY, SOMEBODY);
    chmodSync(directory.path, 0o1777);
    expect(secretPath(at("key"), uid)).toEqual({
      ok: false,
      found: `which leads through ${at("..data")}, a symlink of uid ${SOMEBODY}`,
      want: "links that belong to root",
    });
  });
});
