// "varta-watch keygen" as a shell sees it: what it prints, the file that it makes, and the files
// that it leaves alone.
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { readKeyFiles } from "../../src/secrets/key_file.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

let directory: TemporaryDirectory;

beforeEach(() => {
  directory = new TemporaryDirectory();
});

afterEach(() => directory[Symbol.dispose]());

/** Runs it through a shell: `before` may set a umask, `after` redirect. */
function keygen(argv: readonly string[], before = ":", after = "") {
  const script = `${before}; exec "$@" ${after}`;
  const { stdout, stderr, exitCode } = Bun.spawnSync(
    ["sh", "-c", script, "sh", ...PROGRAM, "keygen", ...argv],
    { cwd: directory.path },
  );
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

describe("varta-watch keygen", () => {
  test("prints 64 hex digits, other ones each time", () => {
    const [first, second] = [keygen([]), keygen([])];
    for (const { stdout, stderr, exitCode } of [first, second]) {
      expect(stdout).toMatch(/^[0-9a-f]{64}\n$/);
      expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    }
    expect(first.stdout).not.toBe(second.stdout);
  });

  test.skipIf(process.platform !== "linux")("says so when the key could not be printed", () => {
    expect(keygen([], ":", "> /dev/full")).toEqual({
      stdout: "",
      stderr: "varta-watch: error: cannot print the key: ENOSPC\n",
      exitCode: 74,
    });
  });
});

describe("varta-watch keygen --out", () => {
  for (const mask of ["0000", "0777"])
    test(`makes a file of mode 0600 under umask ${mask}, and prints nothing of the key`, () => {
      const { stdout, stderr, exitCode } = keygen(["--out", "edge.key"], `umask ${mask}`);
      expect({ stdout, stderr, exitCode }).toEqual({
        stdout: "wrote a new key to edge.key\n",
        stderr: "",
        exitCode: 0,
      });
      const path = directory.at("edge.key");
      expect(lstatSync(path).mode & 0o7777).toBe(0o600);
      expect(readFileSync(path, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
      const read = readKeyFiles(
        { keyFile: path, acceptedKeyFile: undefined, masterKeyFile: undefined },
        process.geteuid!(),
      );
      expect(read).toMatchObject({ ok: true });
    });

  test("never overwrites a file and never follows a symlink", () => {
    writeFileSync(directory.at("used.key"), "in use");
    symlinkSync("elsewhere", directory.at("dangling"));
    symlinkSync("used.key", directory.at("link"));
    for (const name of ["used.key", "dangling", "link", "."])
      expect(keygen(["--out", name])).toEqual({
        stdout: "",
        stderr: `varta-watch: error: cannot create key file ${name}: there is something of this name already\nvarta-watch: hint: a key in use is never overwritten: choose another name\n`,
        exitCode: 73,
      });
    expect(readFileSync(directory.at("used.key"), "utf8")).toBe("in use");
    expect(readdirSync(directory.path).sort()).toEqual(["dangling", "link", "used.key"]);
  });

  test("says that the directory is missing", () => {
    expect(keygen(["--out", "no/where.key"])).toEqual({
      stdout: "",
      stderr:
        "varta-watch: error: cannot create key file no/where.key: its directory does not exist\nvarta-watch: hint: make it first: mkdir -p no\n",
      exitCode: 73,
    });
  });

  test("leaves nothing behind where the key does not fit", () => {
    const { stderr, exitCode } = keygen(["--out", "edge.key"], "trap '' XFSZ; ulimit -f 0");
    expect(stderr).toBe("varta-watch: error: cannot create key file edge.key: EFBIG\n");
    expect(exitCode).toBe(73);
    expect(readdirSync(directory.path)).toEqual([]);
  });
});
