// The audit log of the running daemon: what it says about recoveries, that it goes on after a kill
// and a rotation with its chain whole, and that neither it nor anything else the daemon writes
// holds a key, a token or an argument (spec 11, spec 07 section 5).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connectSecureUdp } from "../../../src/client/mod.ts";
import { deriveAgentKey } from "../../../src/wire/key_derivation.ts";
import { sampleAt } from "../../metrics/page.ts";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { memoryHolds } from "../../support/process_memory.ts";
import { PROGRAM } from "../../support/program.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AUDIT = ["--recovery-audit-file", "audit.log"];
const THRESHOLD = ["--threshold-ms", "150"];
const OWN = process.pid;

/** The columns of a row, by kind; the chain is the last one. */
interface Row {
  readonly seq: number;
  readonly kind: string;
  readonly columns: readonly string[];
}

describe.concurrent("the audit log of a running daemon", () => {
  test("has a row for the start, for a recovery that began and for one that ended", async () => {
    await using daemon = await DaemonProcess.start({
      args: [...THRESHOLD, ...AUDIT, "--recovery-exec", "sh ./recover {pid}"],
      files: { recover: "exit 3" },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery did not help");
    await until("its row", () => rows(daemon).length === 3);
    const child = daemon.saying("recovery began")[0]!.fields.get("child_pid")!;
    const [boot, spawn, complete] = rows(daemon);
    expect(readFileSync(daemon.path("audit.log"), "utf8")).toStartWith(
      "# varta-watch recovery audit v2\n",
    );
    expect(boot!.columns.slice(2, -1)).toEqual(["0", "boot", `${daemon.pid}`, "-", "fresh"]);
    const template = "sh ./recover {pid}".length;
    expect(spawn!.columns.slice(3, -1)).toEqual([
      ...["spawn", `${OWN}`, child, "exec", "sh", "inline", `${template}`],
    ]);
    expect(complete!.columns.slice(3, 9)).toEqual([
      ...["complete", `${OWN}`, child, "reaped", "3", "-"],
    ]);
    expect(complete!.columns).toHaveLength(14);
    expect(statSync(daemon.path("audit.log")).mode & 0o777).toBe(0o600);
    // It verifies while the daemon goes on.
    const { exitCode, stdout } = await verify(daemon);
    expect(stdout).toContain("intact: 3 records, seq 1..3, head ");
    expect(exitCode).toBe(0);
    const page = await daemon.page();
    // Rows that come together are synced together.
    expect(sampleAt(page, "varta_audit_fsync_seconds_count")).toBeGreaterThanOrEqual(1);
    expect(sampleAt(page, "varta_recovery_audit_dropped_total")).toBe(0);
  });

  test("goes on after a SIGKILL: its numbers grow, the start says resume, the chain holds", async () => {
    // The debounce of a killed daemon is held by the next one: it is not what is tested here.
    const args = [...THRESHOLD, ...AUDIT, "--recovery-exec", "true", "--recovery-debounce-ms", "0"];
    await using first = await DaemonProcess.start({ args });
    const { directory } = first;
    using sender = new Sender(first.socket);
    await sender.beat();
    await until("the rows", () => rows(first).length === 3);
    first.signal("SIGKILL");
    await first.exited();
    for (let life = 1; life <= 2; life++) {
      await using next = await DaemonProcess.start({ args, directory });
      using again = new Sender(next.socket);
      await again.beat();
      await until("its rows", () => rows(next).length === 3 + 3 * life);
      next.signal(life === 2 ? "SIGTERM" : "SIGKILL");
      await next.exited();
    }
    const all = rows(first);
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
    const boots = all.filter(({ kind }) => kind === "boot");
    expect(boots.map(({ columns }) => columns[6])).toEqual(["fresh", "resume", "resume"]);
    // A resumed section names the chain of the row before it.
    for (const boot of boots.slice(1))
      expect(boot.columns[5]).toBe(all[boot.seq - 2]!.columns.at(-1)!);
    expect(await verify(first)).toMatchObject({ exitCode: 0 });
  });

  test("says that its end was torn, and that it was changed", async () => {
    const args = [...THRESHOLD, ...AUDIT];
    await using first = await DaemonProcess.start({ args });
    await first.stop();
    appendFileSync(first.path("audit.log"), "2\t17000");
    await using second = await DaemonProcess.start({ args, directory: first.directory });
    expect(second.stderr).toContain('found="the last line was torn and has been cut off"');
    await second.stop();
    expect(rows(first).map(({ columns }) => columns[6])).toEqual(["fresh", "corrupt_tail"]);
    expect((await verify(first)).exitCode).toBe(0);

    const path = first.path("audit.log");
    writeFileSync(path, readFileSync(path, "utf8").replace("\tfresh\t", "\tresume\t"));
    const { exitCode, stdout } = await verify(first);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("chain broken: row 1 was changed");
  });

  test.skipIf(crewProgram === undefined)(
    `goes on in a new file when it is large enough, and verifies over all of them${NEEDS_CREW}`,
    async () => {
      await using daemon = await DaemonProcess.start({
        args: [
          ...[...THRESHOLD, ...AUDIT, "--recovery-audit-max-bytes", "4096"],
          ...["--recovery-exec", "true", "--recovery-debounce-ms", "0"],
        ],
      });
      await using crew = new Crew(daemon.socket);
      await crew.agents({ count: 30, intervalMs: 10, beats: 3 });
      await daemon.untilSays("recovery done", 30);
      await until("the second file", () => existsSync(daemon.path("audit.log.1")));
      await daemon.stop();
      const { exitCode, stdout } = await verify(daemon);
      // A start, 30 recoveries of two rows, and a row for each new file.
      const [, count] = /intact: ([0-9]+) records/.exec(stdout)!;
      expect(Number(count)).toBeGreaterThan(61);
      expect(exitCode).toBe(0);
    },
  );

  test("has a row for each refusal, with its reason", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await DaemonProcess.start({
      args: [...THRESHOLD, ...AUDIT, "--recovery-exec", "true", "--key-file", "key"],
      files: { key: SHARED },
      config: `[[listener]]\nkind = "secure-udp"\nport = ${port}\naccept_recovery = false\n`,
    });
    const client = connectSecureUdp({ host: "127.0.0.1", port, key: SHARED });
    expect(client.beat().kind).toBe("sent");
    await until("the row", () => rows(daemon).length === 2);
    client.close();
    // With a configuration file it says of whom, and that no recovery has begun.
    expect(rows(daemon)[1]!.columns.slice(3, -1)).toEqual([
      ...["refused", `${OWN}`, "unauthenticated_transport"],
      ...["-", expect.stringMatching(/\/[0-9]+$/), "unknown"],
    ]);
  });

  test("goes on in a log of the options alone with rows that say more, in one chain", async () => {
    using directory = new TemporaryDirectory();
    const file = `${directory.path}/audit.log`;
    const args = [
      ...[...THRESHOLD, "--recovery-audit-file", file, "--recovery-exec", "false"],
      // The journal beside the log has it hold for the next daemon.
      ...["--recovery-debounce-ms", "0"],
    ];
    for (const config of [undefined, "[log]\n", undefined]) {
      await using daemon = await DaemonProcess.start({
        args,
        ...(config === undefined ? {} : { config }),
      });
      using sender = new Sender(daemon.socket);
      await sender.beat();
      await daemon.untilSays("recovery did not help");
      expect(await daemon.stop()).toBe(0);
    }
    const columns = readFileSync(file, "utf8").trimEnd().split("\n").slice(1);
    const counts = columns.map((row) => row.split("\t").length);
    expect(counts).toEqual([8, 11, 14, 8, 14, 17, 8, 11, 14]);
    // On a busy machine it may wait for a page when it is looked at.
    const verdict = expect.stringMatching(/^(hung|blocked)$/);
    expect(columns[4]!.split("\t").slice(-4, -1)).toEqual(["1", expect.any(String), verdict]);
    const { exitCode, stdout } = await runCommand([...PROGRAM, "audit", "verify", file]);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("intact: 9 records")]);
    const shown = await runCommand([...PROGRAM, "audit", "show", file]);
    expect(shown.stdout).toMatch(
      / complete agent_pid=.* recovery_id=1 agent=\S+ verdict=(hung|blocked)\n/,
    );
  });
});

/** Secrets of these tests: digits that stand nowhere else. */
const SHARED = secret();
const ACCEPTED = [secret(), secret()];
const MASTER = secret();
const TOKEN = secret();
const ARGUMENT = `argument-${secret().slice(0, 20)}`;

describe.concurrent("secrets", () => {
  test("stand in nothing that a daemon writes, says or shows", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await DaemonProcess.start({
      args: [
        ...[...THRESHOLD, ...AUDIT, "--export-file", "events.jsonl"],
        ...["--key-file", "key", "--accepted-key-file", "accepted", "--master-key-file", "master"],
        ...["--prom-token-file", "token", "--recovery-exec-file", "command"],
        ...["--recovery-capture-stdio", "--recovery-debounce-ms", "0"],
      ],
      files: {
        ...{ key: SHARED, accepted: ACCEPTED.join("\n"), master: MASTER, token: TOKEN },
        command: `sh ./recover {pid} ${ARGUMENT}`,
        recover: "echo done",
      },
      config: `[log]\nlevel = "debug"\n\n[[listener]]\nkind = "secure-udp"\nport = ${port}\naccept_recovery = true\n`,
    });
    const authorization = `Bearer ${TOKEN}`;
    const net = { host: "127.0.0.1", port };
    for (const client of [
      connectSecureUdp({ ...net, key: SHARED }),
      connectSecureUdp({ ...net, key: ACCEPTED[1]! }),
      connectSecureUdp({ ...net, masterKey: MASTER }),
      connectSecureUdp({ ...net, key: secret() }),
    ]) {
      // It falls silent without a bye.
      using silent = client;
      silent.beat();
    }
    await daemon.untilSays("recovery done");
    await until("the rows", () => rows(daemon).some(({ kind }) => kind === "complete"));
    await daemon.state();
    const page = await (await daemon.fetch("/metrics", { authorization })).text();
    expect(page).toContain("varta_frame_decrypt_failures_total 1\n");
    const landing = await (await daemon.fetch("/")).text();
    const refused = await (await daemon.fetch("/metrics")).text();
    const cmdline = readFileSync(`/proc/${daemon.pid}/cmdline`, "latin1");
    await daemon.stop();

    const check = await runCommand(
      [...PROGRAM, "check", "--print", "--config", "varta.toml", ...secretOptions(daemon)],
      { cwd: daemon.directory },
    );
    expect(check.stdout).toContain("recovery");
    const written = {
      stderr: daemon.stderr,
      stdout: daemon.stdout,
      page,
      landing,
      refused,
      cmdline,
      audit: readFileSync(daemon.path("audit.log"), "latin1"),
      events: readFileSync(daemon.path("events.jsonl"), "latin1"),
      check: `${check.stdout}${check.stderr}`,
    };
    expect(written.audit).toContain("\tspawn\t");
    for (const [where, text] of Object.entries(written)) expectNoSecret(where, text);
  });

  test("are not in the daemon's memory as they are in their files", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await DaemonProcess.start({
      args: [
        ...["--udp-port", `${port}`, "--prom-token-file", "token"],
        ...["--key-file", "key", "--accepted-key-file", "accepted", "--master-key-file", "master"],
      ],
      files: { key: SHARED, accepted: ACCEPTED.join("\n"), master: MASTER, token: TOKEN },
    });
    const digits = [SHARED, ...ACCEPTED, MASTER, TOKEN];
    expect(digits.filter((hex) => memoryHolds(daemon.pid, Buffer.from(hex)))).toEqual([]);
    // The search does find what is there: the key that the listener opens frames with.
    expect(memoryHolds(daemon.pid, Buffer.from(SHARED, "hex"))).toBe(true);
  });

  test("stand in no message about a key file that is wrong", async () => {
    const cases = [`${SHARED.slice(0, 40)}g${SHARED.slice(41)}`, `${SHARED}\n${ACCEPTED[0]}`];
    using directory = new TemporaryDirectory();
    const argv = [
      "--socket",
      directory.at("s"),
      "--udp-port",
      "7878",
      "--key-file",
      directory.at("key"),
    ];
    for (const [index, content] of cases.entries())
      for (const words of index === 0 ? [["check"], ["check", "--json"], ["run"]] : [["check"]]) {
        writeFileSync(directory.at("key"), content, { mode: 0o600 });
        const { exitCode, stdout, stderr } = await runCommand([...PROGRAM, ...words, ...argv]);
        expect(exitCode).toBe(78);
        expect(`${stdout}${stderr}`).toContain("want exactly 64 hex digits");
        expectNoSecret(`"${words.join(" ")}"`, `${stdout}${stderr}`);
      }
  });

  test("are read from no link, from no other user and from nothing that others may read", async () => {
    const [port] = freeUdpPorts(1) as [number];
    const run = async (prepare: string) => {
      await using daemon = new DaemonProcess({
        args: ["--udp-port", `${port}`, "--key-file", "key"],
        files: { real: SHARED },
        through: ["sh", "-c", `${prepare}; exec "$0" "$@"`],
      });
      const code = await daemon.exited();
      expectNoSecret(prepare, daemon.stderr);
      return `${code} ${daemon.stderr}`;
    };
    expect(await run('ln -s "$PWD/real" key')).toMatch(
      /^78 .*which is a symlink; want a regular file/,
    );
    expect(await run("mv real key; chmod 640 key")).toMatch(/^78 .*with mode 0640; want mode 0600/);
    expect(await run("mkfifo -m 600 key")).toMatch(/^78 .*which is not a regular file/);
    if (process.geteuid?.() === 0)
      expect(await run("mv real key; chown 12345 key")).toMatch(/^78 .*owned by uid 12345/);
  });
});

function rows(daemon: { path(name: string): string }): Row[] {
  const lines = readFileSync(daemon.path("audit.log"), "latin1").split("\n").slice(0, -1);
  return lines
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.split("\t"))
    .map((columns) => ({ seq: Number(columns[0]), kind: columns[3]!, columns }));
}

function verify(daemon: { path(name: string): string }): Promise<CommandResult> {
  const argv = [...PROGRAM, "audit", "verify", daemon.path("audit.log")];
  return runCommand(argv);
}

function secretOptions(daemon: DaemonProcess): string[] {
  const options = { "--prom-token-file": "token", "--recovery-exec-file": "command" };
  const keys = {
    "--key-file": "key",
    "--accepted-key-file": "accepted",
    "--master-key-file": "master",
  };
  const all = Object.entries({ ...options, ...keys });
  return [
    "--prom-addr",
    "127.0.0.1:0",
    ...all.flatMap(([name, file]) => [name, daemon.path(file)]),
  ];
}

function secret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

/** No run of twelve digits of a secret, nor its bytes as they are or in base64. */
function expectNoSecret(where: string, text: string): void {
  const lower = text.toLowerCase();
  const agentKey = deriveAgentKey(Buffer.from(MASTER, "hex"), OWN);
  for (const hex of [SHARED, ...ACCEPTED, MASTER, TOKEN, Buffer.from(agentKey).toString("hex")]) {
    for (let at = 0; at + 12 <= hex.length; at++)
      if (lower.includes(hex.slice(at, at + 12)))
        throw new Error(`${where} holds a piece of a key`);
    const bytes = Buffer.from(hex, "hex");
    for (let at = 0; at < 3; at++) {
      const piece = bytes.subarray(at, at + 9).toString("base64");
      if (text.includes(piece)) throw new Error(`${where} holds a key in base64`);
    }
    if (text.includes(bytes.subarray(0, 8).toString("latin1")))
      throw new Error(`${where} holds the bytes of a key`);
  }
  if (text.includes(ARGUMENT)) throw new Error(`${where} holds an argument of the command`);
}
