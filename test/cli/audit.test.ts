// "varta-watch audit" as a shell sees it: findings, summaries and exit codes, over real files.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AuditDirectory } from "../audit/audit_fixture.ts";
import { twinHeadText } from "../reference/audit_head.ts";
import { AuditWriterTwin, TWIN_ZEROS, twinKeyId } from "../reference/audit_writer_twin.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const MAIN = join(import.meta.dir, "../../src/main.ts");

let directory: AuditDirectory;
let old: AuditWriterTwin;
let live: AuditWriterTwin;

beforeAll(() => {
  directory = new AuditDirectory();
  old = new AuditWriterTwin();
  old.add("boot", 1234, "-", "fresh");
  old.add("spawn", 42, 50, "exec", "/opt/my tool\u001b[2J\u009b\u202e", "inline", 9);
  live = new AuditWriterTwin();
  Object.assign(live, { seq: old.seq, chain: old.chain });
  live.add("boot", 1234, old.chain, "rotation");
  live.add("complete", 42, 50, "reaped", 0, "-", 123, 5, 0, "false", "caf\u00e9\\n", "-");
  live.add("refused", 43, "debounced");
  directory.write(old.text, ".1");
  directory.write(live.text);
  directory.write(live.text.replace("\tdebounced\t", "\tdeb0unced\t"), "-damaged");
});

afterAll(() => directory[Symbol.dispose]());

function audit(...args: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, MAIN, "audit", ...args]);
  return {
    stdout: stdout.toString().replaceAll(directory.path, "DIR"),
    stderr: stderr.toString().replaceAll(directory.path, "DIR"),
    exitCode,
  };
}

describe("varta-watch audit verify", () => {
  test("reads the old files and the live one, reports the head and exits 0", () => {
    expect(audit("verify", directory.log)).toEqual({
      stdout: `intact: 5 records, seq 1..5, head ${live.chain}\n`,
      stderr: "",
      exitCode: 0,
    });
  });

  test("reports each damage with its line, and exits 1", () => {
    const { stdout, exitCode } = audit("verify", `${directory.log}-damaged`);
    expect(stdout).toBe(
      [
        `DIR/audit.log-damaged:2: starts at seq 3, anchored at ${old.chain}`,
        "DIR/audit.log-damaged:4: chain broken: row 5 was changed, or a row before it was removed, inserted or moved",
        "NOT intact: first problem at DIR/audit.log-damaged:4",
        "",
      ].join("\n"),
    );
    expect(exitCode).toBe(1);
  });

  test("holds the head against one that was kept elsewhere", () => {
    expect(audit("verify", directory.log, "--expect-head", live.chain.toUpperCase()).exitCode).toBe(
      0,
    );
    const { stdout, exitCode } = audit("verify", `--expect-head=${old.chain}`, directory.log);
    expect(stdout).toBe(
      `DIR/audit.log:4: the head is ${live.chain}, the expected one is 3 records back\n` +
        "NOT intact: first problem at DIR/audit.log:4\n",
    );
    expect(exitCode).toBe(1);
  });

  test("checks several logs and exits 1 if one of them is damaged", () => {
    const { stdout, exitCode } = audit("verify", `${directory.log}-damaged`, directory.log);
    expect(stdout).toContain("NOT intact: ");
    expect(stdout).toEndWith(`intact: 5 records, seq 1..5, head ${live.chain}\n`);
    expect(exitCode).toBe(1);
  });

  test("prints one object with --json", () => {
    const { stdout, exitCode } = audit("verify", "--json", `${directory.log}-damaged`);
    expect(JSON.parse(stdout)).toMatchObject({
      file: "DIR/audit.log-damaged",
      intact: false,
      records: 3,
      seq_first: 3,
      seq_last: 5,
      head: live.chain,
      findings: [
        { line: 2, intact: true },
        { line: 4, intact: false },
      ],
    });
    expect(exitCode).toBe(1);
  });

  test("says which file cannot be read, and exits 1", () => {
    const missing = audit("verify", `${directory.path}/none`);
    expect(missing.stderr).toStartWith("varta-watch: error: ENOENT");
    expect(missing.stderr).toContain("DIR/none");
    expect(missing.exitCode).toBe(1);
    mkdirSync(`${directory.path}/folder`);
    const folder = audit("verify", `${directory.path}/folder`);
    expect(folder.stderr).toContain("cannot read DIR/folder: must be a regular file");
    expect(folder.exitCode).toBe(1);
  });
});

describe("varta-watch audit verify, what it exits with", () => {
  const KEY_HEX = "1f".repeat(32);

  /** A log with its remembered head in a directory of their own. */
  class Case implements Disposable {
    readonly directory = new AuditDirectory();
    readonly twin = new AuditWriterTwin();

    constructor(keyHex?: string) {
      this.twin.keyHex = keyHex;
      const id = keyHex === undefined ? [] : [twinKeyId(keyHex)];
      this.twin.add("boot", 1234, "-", "fresh", ...id);
      for (let pid = 1; pid <= 3; pid++) this.twin.add("refused", pid, "debounced");
      this.directory.write(this.twin.text);
      const { seq, chain } = this.twin;
      this.write("audit.head", twinHeadText({ file: this.directory.log, seq, chain, keyHex }));
    }

    write(name: string, text: string): string {
      const path = join(this.directory.path, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    }

    verify(...args: string[]) {
      const { stdout, exitCode } = audit("verify", ...args, this.directory.log);
      return { last: stdout.trimEnd().split("\n").at(-1)!, exitCode };
    }

    [Symbol.dispose](): void {
      this.directory[Symbol.dispose]();
    }
  }

  test("0 with the remembered head of the same directory, 3 when rows are cut from the end", () => {
    using one = new Case();
    expect(one.verify().exitCode).toBe(0);
    one.directory.write(`${one.twin.text.split("\n").slice(0, 3).join("\n")}\n`);
    const { last, exitCode } = one.verify();
    expect(exitCode).toBe(3);
    expect(last).toStartWith("NOT intact: first problem at ");
  });

  test("3 with the head that --state names, also for a copy of the log in another place", () => {
    using one = new Case();
    using copy = new AuditDirectory();
    const args = ["verify", "--state", one.directory.path, copy.log];
    copy.write(one.twin.text);
    expect(audit(...args).exitCode).toBe(0);
    copy.write(`${one.twin.text.split("\n").slice(0, 3).join("\n")}\n`);
    expect(audit("verify", copy.log).exitCode).toBe(0);
    expect(audit(...args).exitCode).toBe(3);
    const none = audit("verify", "--state", copy.path, copy.log);
    expect(none.stderr).toContain("cannot find the head of ");
    expect(none.exitCode).toBe(1);
  });

  test("2 when one byte of the header hides rows from who trusts it, with --allow-legacy as well", () => {
    using one = new Case();
    one.directory.write(one.twin.text.replace("audit v2", "audit v1"));
    expect(one.verify().exitCode).toBe(2);
    expect(one.verify("--allow-legacy").exitCode).toBe(2);
  });

  test("2 for a live file that was emptied or removed, 0 for a rotation that was interrupted", () => {
    using one = new Case();
    one.directory.write(one.twin.text, ".1");
    one.directory.write("");
    expect(one.verify().exitCode).toBe(0);
    const head = { file: one.directory.log, seq: 5, chain: TWIN_ZEROS, keyHex: undefined };
    one.write("audit.head", twinHeadText(head));
    expect(one.verify().exitCode).toBe(2);
    unlinkSync(one.directory.log);
    expect(one.verify().exitCode).toBe(2);
    unlinkSync(join(one.directory.path, "audit.head"));
    expect(one.verify().exitCode).toBe(2);
  });

  test("0 for rows of schema v1 before the first record, if --allow-legacy says so, else 2", () => {
    using one = new Case();
    const v2 = new AuditWriterTwin();
    v2.add("boot", 1234, "-", "legacy_v1");
    one.write("audit.head", "");
    one.directory.write(`# varta-watch recovery audit v1\n1\tspawn\t2\n${v2.text}`);
    expect(one.verify().exitCode).toBe(2);
    expect(one.verify("--allow-legacy").exitCode).toBe(0);
  });

  test("4 without the key and 0 with it; 1 for a chain that was computed without it", () => {
    using one = new Case(KEY_HEX);
    const key = one.write("audit.key", `${KEY_HEX}\n`);
    const without = one.verify();
    expect(without.exitCode).toBe(4);
    expect(without.last).toStartWith("NOT verified: a key is wanted, first at ");
    expect(one.verify("--key-file", key)).toMatchObject({
      exitCode: 0,
      last: expect.stringContaining(`, under key ${twinKeyId(KEY_HEX)}`),
    });
    const other = one.write("other.key", `${"2e".repeat(32)}\n`);
    expect(one.verify("--key-file", other).exitCode).toBe(4);
    const both = one.write("both.keys", `# old\n${"2e".repeat(32)}\n${KEY_HEX}\n`);
    expect(one.verify("--key-file", both).exitCode).toBe(0);
    const forged = new AuditWriterTwin();
    forged.add("boot", 1234, "-", "fresh", twinKeyId(KEY_HEX));
    for (let pid = 1; pid <= 3; pid++) forged.add("refused", pid + 10, "debounced");
    one.directory.write(forged.text);
    expect(one.verify("--key-file", key).exitCode).toBe(1);
  });

  test("1 when the key file is at fault, and says why", () => {
    using one = new Case(KEY_HEX);
    const short = one.write("short.key", "1f1f\n");
    const { stderr, exitCode } = audit("verify", "--key-file", short, one.directory.log);
    expect(stderr).toContain("has 4 characters in line 1; want exactly 64 hex digits");
    expect(exitCode).toBe(1);
  });

  test("the worst of several logs", () => {
    using one = new Case();
    using keyed = new Case(KEY_HEX);
    const { exitCode } = audit("verify", one.directory.log, keyed.directory.log);
    expect(exitCode).toBe(4);
    one.directory.write("");
    expect(audit("verify", one.directory.log, keyed.directory.log).exitCode).toBe(2);
  });

  test("says what it is in JSON", () => {
    using one = new Case(KEY_HEX);
    const key = one.write("audit.key", KEY_HEX);
    const { stdout } = audit("verify", "--json", "--key-file", key, one.directory.log);
    expect(JSON.parse(stdout)).toMatchObject({
      intact: true,
      exit: 0,
      key_id: twinKeyId(KEY_HEX),
      findings: [],
    });
  });
});

describe("varta-watch audit show", () => {
  test("shows rows that a changed header would hide", () => {
    directory.write(old.text.replace("audit v2", "audit v1"), "-relabelled");
    const { stdout } = audit("show", `${directory.log}-relabelled`);
    expect(stdout.split("\n").length).toBe(3);
  });

  test("prints one line per record and lets no byte of a file reach the terminal raw", () => {
    const { stdout, exitCode } = audit("show", `${directory.log}.1`);
    expect(stdout).toBe(
      [
        "2023-11-14T22:13:20.001Z      1 boot     daemon_pid=1234 reason=fresh",
        '2023-11-14T22:13:20.002Z      2 spawn    agent_pid=42 child_pid=50 mode=exec program="/opt/my tool\\x1b[2J\\x9b\\u202e" source=inline template_len=9',
        "",
      ].join("\n"),
    );
    expect(exitCode).toBe(0);
  });

  test("prints one object per record with --json, absent values left out", () => {
    const { stdout, exitCode } = audit("show", "--json", directory.log);
    const objects = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(objects.map(({ seq, kind }) => [seq, kind])).toEqual([
      [3, "boot"],
      [4, "complete"],
      [5, "refused"],
    ]);
    const { chain, ...complete } = objects[1];
    expect(chain).toMatch(/^[0-9a-f]{64}$/);
    expect(complete).toEqual({
      seq: 4,
      wallclock_ms: 1_700_000_000_004,
      observer_ns: 4_000_000_000,
      kind: "complete",
      agent_pid: 42,
      child_pid: 50,
      outcome: "reaped",
      exit_code: 0,
      duration_ns: 123,
      stdout_len: 5,
      stderr_len: 0,
      truncated: false,
      stdout_tail: "caf\u00e9\\n",
    });
    expect(exitCode).toBe(0);
  });

  test("prints what it can of a damaged file, and exits 1", () => {
    directory.write(
      `# a comment\nnonsense\n1\t2\t3\trefused\t4\tdebounced\t${TWIN_ZEROS}\n`,
      "-odd",
    );
    const { stdout, stderr, exitCode } = audit("show", `${directory.log}-odd`);
    expect(stdout).toContain(" refused  agent_pid=4 reason=debounced\n");
    expect(stderr).toBe("DIR/audit.log-odd:2: not a record\n");
    expect(exitCode).toBe(1);
  });
});

test.each([
  [[], 'found nothing after "audit"; want "verify FILE..." or "show FILE"'],
  [["check", "F"], 'found "check" after "audit"; want "verify FILE..." or "show FILE"'],
  [["verify"], 'found "audit verify" without a file; want a FILE'],
  [["show", "A", "B"], "found 2 files; want one FILE"],
  [
    ["verify", "F", "--expect-head", "12"],
    "found 2 characters after --expect-head; want 64 hex digits",
  ],
  [
    ["verify", "A", "B", `--expect-head=${TWIN_ZEROS}`],
    "found --expect-head with 2 files; want one FILE",
  ],
  [
    ["show", "F", `--expect-head=${TWIN_ZEROS}`],
    'found --expect-head with "audit show"; want "audit verify"',
  ],
  [["show", "F", "--allow-legacy"], 'found --allow-legacy with "audit show"; want "audit verify"'],
])("varta-watch audit %p is wrong use, exit 64", (args, message) => {
  expect(audit(...args)).toEqual({
    stdout: "",
    stderr: `varta-watch: error: ${message}\nvarta-watch: hint: "varta-watch help audit" shows what is possible\n`,
    exitCode: 64,
  });
});
