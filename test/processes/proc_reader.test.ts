// Identities read from /proc (spec 05 section 5): a fake /proc, and the real one.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import { NO_OTHER_USERS } from "../support/other_users.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { statLine } from "./stat_line.ts";

setDefaultTimeout(TEST_MS_MAX);

const NOBODY = 65_534;
const OWN = 4_026_531_836;

describe("ProcReader.realUid()", () => {
  test("is the real uid of a process, and unknown of one that is not there", () => {
    const reader = new ProcReader();
    expect(reader.realUid(process.pid)).toBe(process.getuid!());
    expect(reader.realUid(2 ** 31 - 1)).toBeNaN();
  });
});

describe("ProcReader with a directory in the place of /proc", () => {
  function fake(directory: TemporaryDirectory, pid: number): ProcReader {
    mkdirSync(directory.at(`${pid}/ns`), { recursive: true });
    return new ProcReader(directory.path);
  }

  test("reads start time and namespace", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    writeFileSync(directory.at("42/stat"), statLine("a) b", "4711"));
    symlinkSync("pid:[77]", directory.at("42/ns/pid"));
    expect(reader.startTime(42)).toBe(4711);
    expect(reader.namespaceInode(42, OWN)).toBe(77);
  });

  test("knows a process that runs from a zombie, from the next owner of its pid and from none", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    expect([reader.isZombie(42), reader.isAlive(42, 4711)]).toEqual([undefined, false]);
    writeFileSync(directory.at("42/stat"), statLine("x", "4711"));
    expect([reader.isZombie(42), reader.isAlive(42, 4711)]).toEqual([false, true]);
    expect(reader.isAlive(42, 4712)).toBe(false);
    writeFileSync(directory.at("42/stat"), statLine("x", "4711").replace(") S 1", ") Z 1"));
    expect([reader.isZombie(42), reader.isAlive(42, 4711)]).toEqual([true, false]);
  });

  test("lists processes, their words and their descriptors, and nothing that is no process", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    mkdirSync(directory.at("42/fd"));
    mkdirSync(directory.at("net"));
    writeFileSync(directory.at("42/cmdline"), "/usr/bin/caf\u00e9\0--flag\0");
    symlinkSync("socket:[77]", directory.at("42/fd/3"));
    expect(reader.pids()).toEqual([42]);
    expect(reader.argv(42)).toEqual(["/usr/bin/caf\u00e9", "--flag", ""]);
    expect(reader.descriptors(42)).toEqual([{ fd: 3, link: "socket:[77]" }]);
    expect([reader.argv(43), reader.descriptors(43)]).toEqual([[""], []]);
  });

  test("reads the unit of a process, or says why there is none", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    expect(reader.unitOf(42)).toBe("its control group cannot be read");
    writeFileSync(directory.at("42/cgroup"), "0::/system.slice/app.service\n");
    expect(reader.unitOf(42)).toMatchObject({ name: "app.service" });
  });

  test("reads a long stat line up to its 512th byte only", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    writeFileSync(directory.at("42/stat"), statLine("x".repeat(460), "4711"));
    expect(reader.startTime(42)).toBeNaN();
  });

  test("hasEnded() says no while the file cannot be read or makes no sense", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    symlinkSync(directory.at("42/stat"), directory.at("42/stat"));
    expect(reader.hasEnded(42, 4711)).toBe(false);
    unlinkSync(directory.at("42/stat"));
    writeFileSync(directory.at("42/stat"), "rubbish");
    expect(reader.hasEnded(42, 4711)).toBe(false);
    writeFileSync(directory.at("42/stat"), statLine("a) Z b", "4711"));
    expect(reader.hasEnded(42, 4711)).toBe(false);
    writeFileSync(directory.at("42/stat"), statLine("a) S b", "4711").replace(") S 1", ") Z 1"));
    expect(reader.hasEnded(42, 4711)).toBe(true);
  });

  test("hasEnded() says no while threads run on, though the first one has ended", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    const oneThread = statLine("a) S b", "4711").replace(") S 1", ") Z 1");
    writeFileSync(directory.at("42/stat"), oneThread.replace(" 20 0 1 0", " 20 0 2 0"));
    expect(reader.hasEnded(42, 4711)).toBe(false);
    writeFileSync(directory.at("42/stat"), oneThread);
    expect(reader.hasEnded(42, 4711)).toBe(true);
  });

  test("knows nothing about a pid that is not there, whatever its status file could say", () => {
    using directory = new TemporaryDirectory();
    const reader = fake(directory, 42);
    writeFileSync(directory.at("42/status"), "NSpid:\t42\n");
    expect(reader.startTime(43)).toBeNaN();
    expect(reader.namespaceInode(43, OWN)).toBeNaN();
    // The link is missing, not forbidden: the process is gone, so no fall-back.
    expect(reader.namespaceInode(42, OWN)).toBeNaN();
  });
});

describe("ProcReader with the real /proc", () => {
  const reader = new ProcReader();

  test("reads its own namespace as the link says", () => {
    const link = readlinkSync("/proc/self/ns/pid");
    expect(`pid:[${reader.ownNamespaceInode()}]`).toBe(link);
    expect(reader.namespaceInode(process.pid, Number.NaN)).toBe(reader.ownNamespaceInode());
  });

  test("reads its own start time, and the same one again", () => {
    const text = readFileSync("/proc/self/stat", "latin1");
    const word = text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
    expect(reader.startTime(process.pid)).toBe(Number(word));
    expect(reader.startTime(process.pid)).toBe(Number(word));
  });

  test("hasEnded() is sure of a process that is gone, was replaced or is a zombie", async () => {
    const own = reader.startTime(process.pid);
    expect([reader.hasEnded(process.pid, own), reader.hasEnded(process.pid, own - 1)]).toEqual([
      false,
      true,
    ]);
    expect(reader.hasEnded(Bun.spawnSync(["true"]).pid, own)).toBe(true);
    // The shell becomes a program that never looks after its child.
    const script = "true & echo $!; exec sleep 100";
    const parent = Bun.spawn(["sh", "-c", script], { stdout: "pipe" });
    try {
      const { value } = await parent.stdout.getReader().read();
      const zombie = Number(Buffer.from(value!).toString());
      await until("a zombie", () => reader.hasEnded(zombie, reader.startTime(zombie)));
    } finally {
      parent.kill("SIGKILL");
      await parent.exited;
    }
  });

  test("knows nothing about a process that has vanished", () => {
    const child = Bun.spawnSync(["true"]);
    expect(reader.startTime(child.pid)).toBeNaN();
    expect(reader.namespaceInode(child.pid, reader.ownNamespaceInode())).toBeNaN();
  });

  test.skipIf(NO_OTHER_USERS !== "")(
    `without privilege: the NSpid line tells our namespace from a child namespace${NO_OTHER_USERS}`,
    async () => {
      const foreign = Bun.spawn(["unshare", "--pid", "--fork", "--kill-child", "sleep", "100"], {
        stdout: "ignore",
      });
      try {
        const child = await onlyChildOf(foreign.pid);
        const inode = reader.ownNamespaceInode();
        expect(reader.namespaceInode(child, inode)).not.toBe(inode);
        // This process and the one inside, seen by a user that may not read their ns links.
        const seen = readAsNobody([process.pid, child], inode);
        expect(seen).toEqual([inode, 0]);
        expect(readAsNobody([process.pid, child], Number.NaN)).toEqual([null, null]);
      } finally {
        foreign.kill("SIGKILL");
        await foreign.exited;
      }
    },
  );
});

async function onlyChildOf(pid: number): Promise<number> {
  let child = 0;
  await until("a process in a namespace of its own", () => {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
    child = Number(text.split(" ")[0]);
    return child > 0 && readFileSync(`/proc/${child}/comm`, "latin1") === "sleep\n";
  });
  return child;
}

/** What namespaceInode() says to an unprivileged process; null = unknown. */
function readAsNobody(pids: readonly number[], observerInode: number): unknown {
  const script = [
    `import { ProcReader } from "${import.meta.dir}/../../src/processes/proc_reader.ts";`,
    "const reader = new ProcReader();",
    `const inodes = [${pids}].map((pid) => reader.namespaceInode(pid, ${observerInode}));`,
    "console.log(JSON.stringify(inodes));",
  ];
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const bun = [process.execPath, "-e", script.join("\n")];
  return JSON.parse(Bun.spawnSync(["setpriv", ...user, ...bun]).stdout.toString());
}

describe("of a process that replaces itself", () => {
  const PROGRAM =
    '$| = 1; print "first"; <STDIN>; exec $^X, "-e", q{$| = 1; print "x"; <STDIN>}, 7';

  test.skipIf(Bun.which("perl") === null)(
    "the mark is another, though pid, start time and name are the same",
    async () => {
      const child = spawn("perl", ["-e", PROGRAM]);
      try {
        const reader = new ProcReader();
        const pid = child.pid!;
        await new Promise((resolve) => child.stdout.once("data", resolve));
        const startTime = reader.startTime(pid);
        const before = reader.identityOf(pid, startTime, 0, 0, 0)!;
        expect(reader.programMark(pid, startTime)).toBe(before.mark);
        child.stdin.write("\n");
        await new Promise((resolve) => child.stdout.once("data", resolve));
        const after = reader.identityOf(pid, startTime, 0, 0, 0)!;
        expect([before.comm, after.comm]).toEqual(["perl", "perl"]);
        expect(after.mark).not.toBe(before.mark);
        expect(reader.programMark(pid, startTime)).toBe(after.mark);
        expect(reader.programMark(pid, startTime + 1)).toBeNaN();
        expect(reader.identityOf(pid, startTime + 1, 0, 0, 0)).toBeUndefined();
      } finally {
        child.kill("SIGKILL");
      }
    },
  );
});

test("who a process is stands in the files of a directory like /proc, and nothing in environ", () => {
  using directory = new TemporaryDirectory();
  const root = directory.path;
  mkdirSync(`${root}/7`);
  writeFileSync(`${root}/7/stat`, statLine("a) S (b", "99"));
  writeFileSync(`${root}/7/cgroup`, "0::/user.slice/user-0.slice/user@0.service/w@3.service\n");
  writeFileSync(`${root}/7/cmdline`, "/usr/bin/python3\0-u\0/srv/w.py\0");
  symlinkSync("/usr/bin/python3.11 (deleted)", `${root}/7/exe`);
  const reader = new ProcReader(root);
  expect(reader.identityOf(7, 99, 1, 2, 0)).toMatchObject({
    uid: 1,
    gid: 2,
    unit: "w@3.service",
    unitUser: "root",
    container: "",
    comm: "a) S (b",
    exe: "/usr/bin/python3.11",
    script: "w.py",
  });
  expect(reader.identityOf(7, 98, 1, 2, 0)).toBeUndefined();
  expect(reader.identityOf(8, 99, 1, 2, 0)).toBeUndefined();
  // A command line that is longer than what is read of it says nothing.
  writeFileSync(`${root}/7/cmdline`, `python3\0-W\0${"x".repeat(40_000)}\0w.py\0`);
  expect(reader.identityOf(7, 99, 1, 2, 0)?.script).toBe("");
  writeFileSync(`${root}/7/cmdline`, `python3\0-W\0${"x".repeat(20_000)}\0w.py\0`);
  expect(reader.identityOf(7, 99, 1, 2, 0)?.script).toBe("w.py");
});
