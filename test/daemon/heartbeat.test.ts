// The heartbeat file (spec 12 section 5): whole for every reader at every moment, once per second,
// and safe in a directory where others write.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { NS_PER_S } from "../../src/base/time.ts";
import { Heartbeat, requireHeartbeat } from "../../src/daemon/heartbeat.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

class Subject {
  readonly path: string;
  readonly heartbeat: Heartbeat;
  readonly errors: string[] = [];
  reopened = 0;
  turns = 0;

  constructor(path: string) {
    this.path = path;
    this.heartbeat = new Heartbeat({
      path,
      ownerUid: process.geteuid!(),
      turns: () => this.turns,
      reopened: () => {
        this.reopened += 1;
      },
      failed: (error) => this.errors.push((error as NodeJS.ErrnoException).code ?? String(error)),
    });
  }

  /** One maintain stage at `nowNs`, and what it started, to its end. */
  async maintain(nowNs: number, meanwhile: () => void = () => {}): Promise<void> {
    this.heartbeat.maintain(nowNs);
    await until("the heartbeat to be written", () => {
      meanwhile();
      return Number.isFinite(this.heartbeat.nextDeadlineNs());
    });
  }

  read(): string {
    return readFileSync(this.path, "latin1");
  }
}

describe("Heartbeat", () => {
  test("writes turns and observer time in whole numbers", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    expect(subject.heartbeat.nextDeadlineNs()).toBe(0);
    subject.turns = 17;
    await subject.maintain(1_234_567.9);
    expect(subject.read()).toBe("17 1234567\n");
    expect(lstatSync(subject.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory.path)).toEqual(["heartbeat"]);
  });

  test("is due a second after the last writing, not earlier", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(100);
    expect(subject.heartbeat.nextDeadlineNs()).toBe(NS_PER_S + 100);
    subject.turns = 1;
    await subject.maintain(NS_PER_S + 99);
    expect(subject.read()).toBe("0 100\n");
    await subject.maintain(NS_PER_S + 100);
    expect(subject.read()).toBe(`1 ${NS_PER_S + 100}\n`);
  });

  test("does not begin a second writing while one is under way", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    subject.heartbeat.maintain(0);
    expect(subject.heartbeat.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    subject.turns = 1;
    await subject.maintain(5 * NS_PER_S);
    expect(subject.read()).toBe("0 0\n");
  });

  test("that is being written when it is closed gets to its end, and is the last", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    subject.heartbeat.maintain(0);
    await subject.heartbeat.close();
    expect(readdirSync(directory.path)).toEqual(["heartbeat"]);
    subject.heartbeat.maintain(10 * NS_PER_S);
    expect(subject.heartbeat.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("is never seen in part by a reader", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(0);
    let reads = 0;
    for (let second = 1; second <= 60; second++) {
      subject.turns = 10 ** (second % 9);
      await subject.maintain(second * NS_PER_S, () => {
        for (let i = 0; i < 20; i++) {
          expect(subject.read()).toMatch(/^\d+ \d+\n$/);
          reads += 1;
        }
      });
    }
    expect(reads).toBeGreaterThan(1_000);
    expect(subject.errors).toEqual([]);
    expect(readdirSync(directory.path)).toEqual(["heartbeat"]);
  });

  test("leaves alone what is no heartbeat: a link, a file with another name, other content", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("heartbeat");
    writeFileSync(directory.at("precious"), "untouched");
    for (const plant of [
      () => symlinkSync(directory.at("precious"), path),
      () => linkSync(directory.at("precious"), path),
      () => writeFileSync(path, "12 monkeys\n"),
    ]) {
      plant();
      const { ino } = lstatSync(path);
      const subject = new Subject(path);
      await subject.maintain(0);
      expect(subject.errors.length).toBe(1);
      expect(lstatSync(path).ino).toBe(ino);
      await expect(requireHeartbeat(path, process.geteuid!())).rejects.toThrow("cannot ");
      unlinkSync(path);
      await subject.maintain(NS_PER_S);
      expect(subject.read()).toBe(`0 ${NS_PER_S}\n`);
      unlinkSync(path);
    }
    expect(readFileSync(directory.at("precious"), "latin1")).toBe("untouched");
  });

  test("goes on in the place of the heartbeat of an earlier daemon", async () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("heartbeat"), "99 12345\n");
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(0);
    expect([subject.read(), subject.reopened]).toEqual(["0 0\n", 0]);
  });

  test("is made again when it is removed or moved, and says so", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(0);
    await subject.maintain(NS_PER_S);
    expect(subject.reopened).toBe(0);
    unlinkSync(subject.path);
    await subject.maintain(2 * NS_PER_S);
    expect([subject.read(), subject.reopened]).toEqual([`0 ${2 * NS_PER_S}\n`, 1]);
    renameSync(subject.path, directory.at("moved"));
    await subject.maintain(3 * NS_PER_S);
    await subject.maintain(4 * NS_PER_S);
    expect(subject.reopened).toBe(2);
  });

  test("says nothing when it was only touched", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(0);
    utimesSync(subject.path, 1, 1);
    await subject.maintain(NS_PER_S);
    expect([subject.read(), subject.reopened]).toEqual([`0 ${NS_PER_S}\n`, 0]);
    expect(subject.errors).toEqual([]);
  });

  test("does not take a new file for its own because it has the number of the removed one", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(0);
    // The file system gives a free number to the next new file.
    unlinkSync(subject.path);
    writeFileSync(subject.path, "somebody's");
    await subject.maintain(NS_PER_S);
    expect(subject.read()).toBe("somebody's");
    expect(subject.errors).toHaveLength(1);
    unlinkSync(subject.path);
    await subject.maintain(2 * NS_PER_S);
    expect(subject.read()).toBe(`0 ${2 * NS_PER_S}\n`);
  });

  test("takes another name if the temporary one is taken, even by a link, and touches neither", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("heartbeat");
    writeFileSync(directory.at("precious"), "untouched");
    writeFileSync(`${path}.${process.pid}.0.tmp`, "somebody's");
    symlinkSync(directory.at("precious"), `${path}.${process.pid}.1.tmp`);
    symlinkSync(directory.at("nowhere"), `${path}.${process.pid}.2.tmp`);
    const subject = new Subject(path);
    await subject.maintain(0);
    expect(subject.read()).toBe("0 0\n");
    expect(readFileSync(`${path}.${process.pid}.0.tmp`, "latin1")).toBe("somebody's");
    expect(readFileSync(directory.at("precious"), "latin1")).toBe("untouched");
    expect(readdirSync(directory.path)).not.toContain("nowhere");
  });

  test("gives up for this second after sixteen taken names", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("heartbeat");
    for (let i = 0; i < 16; i++) writeFileSync(`${path}.${process.pid}.${i}.tmp`, "");
    const subject = new Subject(path);
    await subject.maintain(0);
    expect(subject.errors).toEqual(["EEXIST"]);
    await subject.maintain(NS_PER_S);
    expect(subject.read()).toBe(`0 ${NS_PER_S}\n`);
  });

  test("reports each failure and tries again a second later", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject(directory.at("none/heartbeat"));
    await subject.maintain(0);
    expect(subject.errors).toEqual(["ENOENT"]);
    expect(subject.heartbeat.nextDeadlineNs()).toBe(NS_PER_S);
    mkdirSync(directory.at("none"));
    await subject.maintain(NS_PER_S);
    expect(subject.errors).toEqual(["ENOENT"]);
    expect(subject.read()).toBe(`0 ${NS_PER_S}\n`);
  });

  test("removes its temporary file if it cannot take the place of the target", async () => {
    using directory = new TemporaryDirectory();
    mkdirSync(directory.at("heartbeat/full"), { recursive: true });
    const subject = new Subject(directory.at("heartbeat"));
    await subject.maintain(0);
    expect(subject.errors).toHaveLength(1);
    expect(readdirSync(directory.path)).toEqual(["heartbeat"]);
  });
});
