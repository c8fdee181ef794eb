// The audit log of a real daemon from which rows are removed: the next start
// says so, and so does the daemon that has the file open. What only looks like it, a kill and an
// unusable state directory, raises no alarm.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { sampleAt } from "../../metrics/page.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const KEY = `${"1f".repeat(32)}\n`;
const LOG = "audit.log";
const FORGETFUL = "audit.head unavailable";

/** A directory in which daemons follow each other, with a state directory inside. */
class Installation implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly log = this.#directory.at(LOG);
  readonly state = this.#directory.at("state");

  readonly keyed: boolean;

  constructor(keyed: boolean) {
    this.keyed = keyed;
    mkdirSync(this.state, { mode: 0o750 });
    if (keyed) writeFileSync(this.#directory.at("audit.key"), KEY, { mode: 0o600 });
  }

  async start(): Promise<DaemonProcess> {
    const directory = this.#directory.path;
    const key = this.keyed ? `key_file = "${directory}/audit.key"\n` : "";
    const daemon = await DaemonProcess.start({
      directory,
      config: `[observer]
threshold = "100ms"
[recovery]
command = ["/bin/true"]
debounce = "0ms"
[audit]
file = "${this.log}"
${key}`,
      env: { STATE_DIRECTORY: this.state },
    });
    await until("the address of the metrics", () => daemon.stdout !== "");
    return daemon;
  }

  verify(...args: string[]) {
    const key = this.keyed ? ["--key-file", this.#directory.at("audit.key")] : [];
    return runCommand([
      ...[...PROGRAM, "audit", "verify", "--state", this.state],
      ...[...key, ...args, this.log],
    ]);
  }

  rows(): string[][] {
    const lines = readFileSync(this.log, "latin1").trimEnd().split("\n");
    return lines.filter((line) => !line.startsWith("#")).map((line) => line.split("\t"));
  }

  /** Takes the last rows away. */
  cut(count: number): void {
    const lines = readFileSync(this.log, "latin1").trimEnd().split("\n").slice(0, -count);
    writeFileSync(this.log, `${lines.join("\n")}\n`);
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Of each line about tampering, what is suspected and the row that is remembered. */
function suspicions(daemon: DaemonProcess): (string | undefined)[][] {
  return daemon
    .saying("tamper suspected")
    .map(({ fields }) => [fields.get("what"), fields.get("remembered_seq")]);
}

async function recover(daemon: DaemonProcess, sender: Sender, times: number): Promise<void> {
  const before = daemon.saying("recovery done").length;
  for (let done = 1; done <= times; done++) {
    await sender.beat();
    await until("a recovery", () => daemon.saying("recovery done").length >= before + done);
  }
}

describe.concurrent.each([false, true])("an audit log, under a key: %p", (keyed) => {
  test("that was cut while the daemon was down is found at the next start", async () => {
    using installation = new Installation(keyed);
    await using first = await installation.start();
    using sender = new Sender(first.socket);
    await recover(first, sender, 1);
    const rows = 3;
    await until("a boot, a spawn and a complete row", () => installation.rows().length === rows);
    await until(
      "the last of them to be on the disk",
      async () => sampleAt(await first.page(), "varta_audit_head_sequence") === rows,
    );
    await first.stop();
    const [closed] = first.saying("audit log closed");
    expect(closed!.fields.get("seq")).toBe(`${rows}`);
    expect(closed!.fields.get("head")).toBe(installation.rows().at(-1)!.at(-1)!);
    expect(closed!.fields.get("state")).toBe(`${installation.state}/audit.head`);
    expect((await installation.verify()).exitCode).toBe(0);

    installation.cut(1);
    expect((await installation.verify()).exitCode).toBe(3);
    await using second = await installation.start();
    expect(suspicions(second)).toEqual([["behind", `${rows}`]]);
    const page = await second.page();
    expect(sampleAt(page, "varta_audit_tamper_suspected_total")).toBe(1);
    expect(sampleAt(page, "varta_audit_head_sequence")).toBe(rows + 2);
    await second.stop();
    expect(installation.rows().at(-1)!.slice(3, 5)).toEqual(["tamper_suspected", "behind"]);
    expect((await installation.verify()).exitCode).toBe(1);
  });
});

describe.concurrent("an audit log", () => {
  test("that is removed while the daemon writes goes on in a new file, and that is reported", async () => {
    using installation = new Installation(false);
    await using daemon = await installation.start();
    using sender = new Sender(daemon.socket);
    await recover(daemon, sender, 1);
    unlinkSync(installation.log);
    const journal = `${installation.state}/state.fired`;
    unlinkSync(journal);
    await until("the word of it", async () => {
      await recover(daemon, sender, 1);
      return suspicions(daemon)[0]?.[0] === "removed" && existsSync(journal);
    });
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_file_reopened_total{file="audit"}')).toBe(1);
    expect(sampleAt(page, 'varta_file_reopened_total{file="fired"}')).toBe(1);
    expect(sampleAt(page, "varta_audit_tamper_suspected_total")).toBe(1);
    await daemon.stop();
    const kinds = installation.rows().map((row) => row[3]);
    expect(kinds.slice(0, 2)).toEqual(["boot", "tamper_suspected"]);
    expect((await installation.verify()).exitCode).toBe(1);
  });

  test("of a daemon that was killed is no reason for suspicion", async () => {
    using installation = new Installation(true);
    for (let round = 0; round < 3; round++) {
      await using daemon = await installation.start();
      using sender = new Sender(daemon.socket);
      expect(daemon.lines.filter(({ msg }) => msg.includes("tamper"))).toEqual([]);
      await recover(daemon, sender, 1);
      daemon.signal("SIGKILL");
      await daemon.exited();
    }
    expect((await installation.verify()).exitCode).toBe(0);
  });

  test("is written without a memory if others may write to the state directory: one warning", async () => {
    using installation = new Installation(false);
    chmodSync(installation.state, 0o777);
    await using daemon = await installation.start();
    expect(daemon.saying(FORGETFUL).map(({ fields }) => fields.get("found"))).toEqual([
      `the directory ${installation.state} with mode 0777`,
    ]);
    await daemon.stop();
    expect(existsSync(`${installation.state}/audit.head`)).toBe(false);
    expect((await daemon.exited()) ?? -1).toBe(0);
  });
});
