import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSecretFile, SECRET_FILE_BYTES_MAX } from "../../src/secrets/secret_file.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const uid = process.getuid!();
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varta-secret-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(name: string, content: string, mode: number): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

test("readSecretFile() trims white space around the content", () => {
  const path = file("good", " \tsecret\n", 0o600);
  const secret = readSecretFile(path, uid);
  expect(secret.ok && new TextDecoder().decode(secret.bytes)).toBe("secret");
});

test("readSecretFile() accepts modes without any bit for group and others", () => {
  for (let mode = 0; mode <= 0o777; mode++) {
    const path = file("modes", "x", mode);
    const strict = (mode & 0o077) === 0;
    // Root reads its file whatever the owner bits say; another user cannot be asked to.
    if (strict && uid !== 0 && (mode & 0o400) === 0) continue;
    const result = readSecretFile(path, uid);
    expect(result.ok).toBe(strict);
    if (uid === 0 && !result.ok) expect(result.want).toBe("mode 0600 or stricter");
    rmSync(path);
  }
});

test("readSecretFile() follows no symlink out of its directory", () => {
  const path = join(directory, "link");
  symlinkSync(file("target", "x", 0o600), path);
  expect(readSecretFile(path, uid)).toMatchObject({ ok: false, found: "which is a symlink" });
});

test("readSecretFile() refuses a FIFO without waiting for a writer", () => {
  const path = join(directory, "fifo");
  expect(Bun.spawnSync(["mkfifo", "-m", "600", path]).exitCode).toBe(0);
  expect(readSecretFile(path, uid)).toMatchObject({ found: "which is not a regular file" });
});

test("readSecretFile() refuses another owner, a directory and a missing file", () => {
  const path = file("owned", "x", 0o600);
  expect(readSecretFile(path, uid + 1)).toMatchObject({ found: `owned by uid ${uid}` });
  expect(readSecretFile(directory, uid)).toMatchObject({ found: "which is not a regular file" });
  expect(readSecretFile(join(directory, "none"), uid)).toMatchObject({
    found: "which does not exist",
  });
});

test("readSecretFile() refuses a directory in which others may write, unless it is sticky", () => {
  const open = join(directory, "open");
  mkdirSync(open);
  writeFileSync(join(open, "key"), "secret", { mode: 0o600 });
  for (const [mode, ok] of [
    [0o755, true],
    [0o770, false],
    [0o757, false],
    [0o1777, true],
  ] as const) {
    chmodSync(open, mode);
    expect(readSecretFile(join(open, "key"), uid).ok).toBe(ok);
  }
  chmodSync(open, 0o777);
  expect(readSecretFile(join(open, "key"), uid)).toEqual({
    ok: false,
    found: `which is in the directory ${open} with mode 0777`,
    want: `one that only its owner may write to (chmod go-w ${open}), or a sticky one`,
  });
});

test("readSecretFile() reads at most 64 KiB", () => {
  const full = file("full", "x".repeat(SECRET_FILE_BYTES_MAX), 0o600);
  expect(readSecretFile(full, uid)).toMatchObject({ ok: true });
  const over = file("over", "x".repeat(SECRET_FILE_BYTES_MAX + 1), 0o600);
  expect(readSecretFile(over, uid)).toMatchObject({ ok: false, found: "of more than 64 KiB" });
});

describe.skipIf(uid !== 0)("readSecretFile() and what root hands over (needs root)", () => {
  const service = 65_534;

  test.each([
    { mode: 0o440, ok: true },
    { mode: 0o400, ok: true },
    { mode: 0o040, ok: true },
    { mode: 0o640, ok: false },
    { mode: 0o460, ok: false },
    { mode: 0o444, ok: false },
    { mode: 0o540, ok: false },
  ])("by its group, with mode $mode: $ok", ({ mode, ok }) => {
    const path = file("handed", "secret", mode);
    expect(readSecretFile(path, service).ok).toBe(ok);
    rmSync(path);
  });

  test("a file of another user than root is not handed over", () => {
    const path = file("other", "secret", 0o440);
    chownSync(path, service + 1, service);
    expect(readSecretFile(path, service)).toMatchObject({ found: "with mode 0440" });
    rmSync(path);
  });

  test("for root itself only what is in the directory of its credentials", () => {
    const path = file("own", "secret", 0o440);
    expect(readSecretFile(path, 0, undefined)).toMatchObject({ found: "with mode 0440" });
    expect(readSecretFile(path, 0, join(directory, "elsewhere")).ok).toBe(false);
    expect(readSecretFile(path, 0, directory).ok).toBe(true);
    rmSync(path);
  });
});
