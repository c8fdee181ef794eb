// The files of a real daemon in the hands of other programs: what is moved or removed is begun
// again and logged, and what is not the daemon's is refused at the start and left as it is.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
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

describe.concurrent("files that another program moves or removes", () => {
  test("are made again, with one line and a count for each", async () => {
    await using daemon = await DaemonProcess.start({
      args: ["--export-file", "events.tsv", "--heartbeat-file", "heartbeat"],
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    const [events, heartbeat] = [daemon.path("events.tsv"), daemon.path("heartbeat")];
    await until("both files", () => existsSync(heartbeat) && readFileSync(events).length > 0);
    renameSync(events, daemon.path("moved.tsv"));
    unlinkSync(heartbeat);
    await until("both files anew", async () => {
      await sender.beat();
      return existsSync(heartbeat) && existsSync(events) && readFileSync(events).length > 0;
    });
    const told = "export file recreated";
    await until("the word of it", () => daemon.saying(told).length === 1);
    const reopened = async (file: string) =>
      sampleAt(await daemon.page(), `varta_file_reopened_total{file="${file}"}`);
    expect(await reopened("export")).toBe(1);
    await until("the count of a heartbeat", async () => {
      if ((await reopened("heartbeat")) === 1) return true;
      // Removed between the daemon's check and its writing: that goes unseen. The page may be a
      // second old as well, so the next one is asked for before the file is removed again.
      await until("a new page", async () => (await reopened("heartbeat")) === 1, 1_500).catch(() =>
        rmSync(heartbeat, { force: true }),
      );
      return false;
    });
    await daemon.stop();
    const text = readFileSync(daemon.path("moved.tsv"), "latin1") + readFileSync(events, "latin1");
    for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^\d+\tbeat\t\d+\t/);
    expect(daemon.saying(told).length).toBe(1);
  });
});

describe.concurrent("files that are not the daemon's", () => {
  interface Case {
    readonly name: string;
    readonly args: readonly string[];
    /** Prepares the directory. */
    readonly plant: (directory: TemporaryDirectory) => void;
    readonly error: string;
    readonly hint: string;
  }

  const audit = (file: string) => ["--recovery-exec", "/bin/true", "--recovery-audit-file", file];
  const openDirectory = (directory: TemporaryDirectory) => {
    mkdirSync(directory.at("open"));
    chmodSync(directory.at("open"), 0o777);
  };
  const cases: readonly Case[] = [
    ...(
      [
        ["audit log", audit("open/a")],
        ["export file", ["--export-file", "open/e"]],
        ["heartbeat file", ["--heartbeat-file", "open/h"]],
      ] as const
    ).map(([what, args]) => ({
      name: `${what} in a directory of everybody`,
      args,
      plant: openDirectory,
      error: `found the directory DIR/open with mode 0777; want one that only its owner may write to (chmod go-w DIR/open), or a sticky one`,
      hint: "a user who can write to the directory can put another file in the place of this one",
    })),
    {
      name: "journal that is another name of a precious file",
      args: audit("a"),
      plant: (directory) => linkSync(directory.at("precious"), directory.at("a.fired")),
      error: "cannot open the journal of recoveries DIR/a.fired: must have one hard link, found 2",
      hint: "finds its other name, which the daemon must not change",
    },
    {
      name: "audit log that is another name of a precious file",
      args: audit("a"),
      plant: (directory) => linkSync(directory.at("precious"), directory.at("a")),
      error: "cannot open the audit log DIR/a: must have one hard link, found 2",
      hint: "finds its other name, which the daemon must not change",
    },
    {
      name: "export file with the content of a precious file",
      args: ["--export-file", "copy"],
      plant: (directory) => writeFileSync(directory.at("copy"), PRECIOUS),
      error: "cannot open the export file DIR/copy: found other content",
      hint: "it was not touched: move it away, or give another path",
    },
    {
      name: "heartbeat file that is a link to a precious file",
      args: ["--heartbeat-file", "link"],
      plant: (directory) => symlinkSync("precious", directory.at("link")),
      error: "cannot open the heartbeat file DIR/link: must not be a symlink",
      hint: "tail -F FILE",
    },
    {
      name: "export file that is a device",
      args: ["--export-file", "/dev/null"],
      plant: () => {},
      error: "cannot open the export file /dev/null: must be a regular file, found a device",
      hint: "tail -F FILE",
    },
  ];
  const PRECIOUS = "precious content of another program\n";

  test.each(cases.map((one) => [one.name, one] as const))("are refused: %s", async (_name, one) => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("precious"), PRECIOUS);
    one.plant(directory);
    const argv = [...PROGRAM, "run", "--socket", directory.at("s"), "--shutdown-after-secs", "20"];
    const result = await runCommand([...argv, ...one.args], { cwd: directory.path });
    const stderr = result.stderr.replaceAll(directory.path, "DIR");
    expect(stderr).toContain(one.error);
    expect(stderr).toContain(one.hint);
    expect(result.exitCode).toBe(1);
    expect(readFileSync(directory.at("precious"), "latin1")).toBe(PRECIOUS);
  });
});
