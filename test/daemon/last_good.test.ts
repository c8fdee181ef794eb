// The last configuration that worked (spec 17 section 8).
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { LastGood } from "../../src/daemon/last_good.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const FILE = "/etc/varta/varta.toml";
const TEXT = '# ü\n[observer]\nthreshold = "5s"\n';

class Subject implements Disposable {
  readonly directory = new TemporaryDirectory();

  of(file = FILE, env: Record<string, string> = {}, isTerminal = false): LastGood | undefined {
    const managed = { STATE_DIRECTORY: this.directory.path, INVOCATION_ID: "1", ...env };
    return LastGood.of({ file, env: managed, ownerUid: process.getuid!(), isTerminal });
  }

  get copy(): string {
    return this.directory.at("last-good.toml");
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

describe("LastGood", () => {
  test("keeps a private copy, byte for byte, which the next start finds", async () => {
    using subject = new Subject();
    expect(await subject.of()!.find()).toBeUndefined();
    await subject.of()!.keep(TEXT);
    expect(await subject.of()!.find()).toBe(subject.copy);
    expect(readFileSync(subject.copy, "utf8")).toBe(TEXT);
    expect(statSync(subject.copy).mode & 0o777).toBe(0o600);
    expect(readdirSync(subject.directory.path).sort()).toEqual(["last-good.sum", "last-good.toml"]);
  });

  test("is there for a service manager that gave a directory, and for nobody else", () => {
    using subject = new Subject();
    expect(subject.of(FILE, { INVOCATION_ID: "" })).toBeUndefined();
    expect(subject.of(FILE, { INVOCATION_ID: "", NOTIFY_SOCKET: "@x" })).toBeDefined();
    expect(subject.of(FILE, { STATE_DIRECTORY: "" })).toBeUndefined();
    expect(subject.of(FILE, { STATE_DIRECTORY: "/absent" })).toBeUndefined();
    expect(subject.of(FILE, {}, true)).toBeUndefined();
  });

  test.each([
    ["one bit is another one", TEXT.replace("5s", "4s")],
    ["half of it is there", TEXT.slice(0, 10)],
    ["it is full of NULs", "\0".repeat(TEXT.length)],
    ["it is empty", ""],
  ])("does not find a copy if %s", async (_, found) => {
    using subject = new Subject();
    await subject.of()!.keep(TEXT);
    writeFileSync(subject.copy, found);
    expect(await subject.of()!.find()).toBeUndefined();
    await subject.of()!.keep(TEXT);
    expect(await subject.of()!.find()).toBe(subject.copy);
  });

  test("does not follow a link", async () => {
    using subject = new Subject();
    await subject.of()!.keep(TEXT);
    const other = subject.directory.at("other");
    writeFileSync(other, TEXT, { mode: 0o600 });
    await Bun.file(subject.copy).delete();
    symlinkSync(other, subject.copy);
    expect(await subject.of()!.find()).toBeUndefined();
  });

  test("finds the one of before if the machine ended while the next one was kept", async () => {
    using subject = new Subject();
    await subject.of()!.keep(TEXT);
    const sums = subject.directory.at("last-good.sum");
    writeFileSync(sums, `${"0".repeat(64)}  ${FILE}\n${readFileSync(sums, "utf8")}`);
    expect(await subject.of()!.find()).toBe(subject.copy);
  });

  test("has names of its own for another file, so that two daemons share a directory", async () => {
    using subject = new Subject();
    await subject.of()!.keep(TEXT);
    await subject.of("/etc/varta/b.toml")!.keep("# b\n");
    expect(await subject.of()!.find()).toBe(subject.copy);
    const other = await subject.of("/etc/varta/b.toml")!.find();
    expect(other).toMatch(/\/last-good-[0-9a-f]{16}\.toml$/);
    expect(readFileSync(other!, "utf8")).toBe("# b\n");
  });

  test("keeps what was asked for last, however many are asked for at once", async () => {
    using subject = new Subject();
    const lastGood = subject.of()!;
    await Promise.all([1, 2, 3, 4].map((number) => lastGood.keep(`# ${number}\n`)));
    expect(readFileSync((await lastGood.find())!, "utf8")).toBe("# 4\n");
  });
});
