import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { plainState } from "../../src/snapshot/decoder.ts";
import { findState } from "../../src/snapshot/found_state.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesOf, FULL } from "./states.ts";

setDefaultTimeout(TEST_MS_MAX);

const UID = process.geteuid!();
const BYTES = bytesOf(FULL);

class Fixture implements Disposable {
  readonly directory = new TempDirectory();
  readonly path = this.directory.join("state");

  write(bytes: Uint8Array | string): void {
    writeFileSync(this.path, bytes, { mode: 0o600 });
  }

  find() {
    return findState(this.path, UID);
  }

  names(): string[] {
    return readdirSync(this.directory.path).toSorted();
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

describe("findState()", () => {
  test("gives the state, and leaves its file", () => {
    using fixture = new Fixture();
    expect(fixture.find()).toEqual({ kind: "none" });
    fixture.write(BYTES);
    const found = fixture.find();
    expect(found).toMatchObject({ kind: "state", sizeBytes: BYTES.length });
    expect(found.kind === "state" && plainState(found.state)).toEqual(FULL);
    expect(fixture.names()).toEqual(["state"]);
  });

  test.each([
    ["an empty file", "an empty file", new Uint8Array(0)],
    ["zero bytes of its size", "a file that is no state", new Uint8Array(BYTES.length)],
    ["its first half", "a file that is cut off", BYTES.subarray(0, BYTES.length / 2)],
    ["rubbish after it", "bytes after the end", Buffer.concat([BYTES, Buffer.alloc(4_096, 7)])],
    ["a text", "a file that is no state", Buffer.from("hello\n")],
  ])("sets %s aside, and there is one copy at most", (_, found, bytes) => {
    using fixture = new Fixture();
    const setAside = `${fixture.path}.bad`;
    for (let start = 0; start < 3; start++) {
      fixture.write(bytes);
      expect(fixture.find()).toEqual({ kind: "unreadable", found, setAside });
      expect(fixture.names()).toEqual(["state.bad"]);
      expect(fixture.find()).toEqual({ kind: "none" });
    }
    expect(lstatSync(setAside).size).toBe(bytes.length);
  });

  test("reads no further than the title of what is no state, and not beyond the bound", () => {
    using fixture = new Fixture();
    fixture.write("x");
    // Sparse: it takes no room on the disk, and would take all memory.
    truncateSync(fixture.path, 200e9);
    expect(fixture.find()).toMatchObject({ found: "a file that is no state" });
    fixture.write(BYTES);
    truncateSync(fixture.path, 200e9);
    expect(fixture.find()).toMatchObject({ found: "more than 536870912 bytes" });
  });

  test("follows no link, and leaves alone what is no file of the daemon", () => {
    using fixture = new Fixture();
    const precious = fixture.directory.join("precious");
    writeFileSync(precious, "untouched", { mode: 0o600 });
    symlinkSync("precious", fixture.path);
    const linked = fixture.find();
    expect(linked.kind === "refused" && linked.error.message).toContain("must not be a symlink");
    expect(fixture.names()).toEqual(["precious", "state"]);
    expect(fixture.directory.read("precious")).toBe("untouched");
  });

  test("leaves a directory, a file with a second name and one that others may write", () => {
    for (const make of [
      (path: string) => mkdirSync(path),
      (path: string, other: string) => {
        writeFileSync(other, "untouched", { mode: 0o600 });
        linkSync(other, path);
      },
      (path: string) => {
        writeFileSync(path, BYTES);
        chmodSync(path, 0o666);
      },
    ]) {
      using fixture = new Fixture();
      make(fixture.path, fixture.directory.join("other"));
      expect(fixture.find().kind).toBe("refused");
      expect(existsSync(fixture.path)).toBe(true);
      expect(existsSync(`${fixture.path}.bad`)).toBe(false);
    }
  });

  test("loses nothing of another program that stands where it would be set aside", () => {
    using fixture = new Fixture();
    fixture.write("hello\n");
    mkdirSync(`${fixture.path}.bad`);
    expect(fixture.find()).toMatchObject({ kind: "unreadable", setAside: "" });
    expect(fixture.directory.read("state")).toBe("hello\n");
  });
});
