// Every command that asks the daemon, and every request that it can ask, by their tables: a new one
// is in here without a line written for it. Against the real daemon over the real socket: as root,
// as an operator, as a reader, as a stranger; of a daemon that is down, stopped, or of another
// protocol (spec 16 sections 2 and 7).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, chownSync } from "node:fs";
import type { Command } from "../../../src/cli/command.ts";
import { commandNamed, COMMANDS } from "../../../src/cli/commands.ts";
import { PROTOCOL, type Request } from "../../../src/control/request.ts";
import { REQUESTS } from "../../../src/control/requests.ts";
import { RawClient } from "../../http/raw_client.ts";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { NO_OTHER_USERS } from "../../support/other_users.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** Open to whoever may beat, and what they start or beat for goes on without a daemon. */
const BEATING: readonly string[] = ["beat", "exec"];

/** What asks at a control socket: who prints names for a completion is quiet about it. */
const ASKING = COMMANDS.filter(({ name, own, exits }) => {
  if (BEATING.includes(name)) return false;
  const has69 = exits.some(([code]) => code === "69");
  return has69 && own.some(({ name }) => name === "control");
});

/** What stands for the first word that a usage line wants, and for the options that are musts. */
const WORDS: Readonly<Record<string, string>> = { AGENT: "cron", LEVEL: "debug" };
const MUSTS: Readonly<Record<string, string>> = { for: "1m", reason: "a test" };

const READERS = 65_510;
const OPERATORS = 65_511;
const READER = 65_512;
const OPERATOR = 65_513;
const STRANGER = 65_514;

const CONFIG = `
[observer]
threshold = "60s"

[[agent]]
name = "cron"
match = { comm = "no-such-program" }
expect = 1

[control]
group = ${READERS}
operators = ["@${OPERATORS}"]
`;

function argvOf({ name, operands, own }: Command): string[] {
  const words = operands?.usage.match(/[A-Z]+/g) ?? [];
  const known = words.find((word) => WORDS[word] !== undefined);
  const sample = words.length === 0 ? [] : [known === undefined ? "no sample" : WORDS[known]!];
  const musts = own.filter((option) => MUSTS[option.name] !== undefined);
  return [name, ...sample, ...musts.flatMap((one) => [`--${one.name}`, MUSTS[one.name]!])];
}

/** Each of the commands, one after the other: a user has eight connections. */
async function each(
  path: string,
  through: readonly string[] = [],
  commands: readonly Command[] = ASKING,
): Promise<Record<string, CommandResult>> {
  const results: Record<string, CommandResult> = {};
  for (const command of commands) {
    const argv = [...PROGRAM, ...argvOf(command), "--control", path];
    results[command.name] = await runCommand([...through, ...argv]);
  }
  return results;
}

function as(uid: number, ...groups: readonly number[]): string[] {
  const list = groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`;
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, list];
}

/** The request of a command has its name, as a name in JSON has it. */
function requestOf(command: string): Request | undefined {
  return REQUESTS.find(({ name }) => name === command.replaceAll("-", "_"));
}

function acts(command: string): boolean {
  return requestOf(command)?.right === "act";
}

/** The exit codes of `results`, where they are not as wanted. */
function unlike(
  results: Readonly<Record<string, CommandResult>>,
  wanted: (command: string) => readonly number[],
): Record<string, CommandResult> {
  return Object.fromEntries(
    Object.entries(results).filter(([name, { exitCode }]) => !wanted(name).includes(exitCode)),
  );
}

const ANSWERED = [0, 1];

describe.concurrent("every command", () => {
  test("has a request of its name, and a sample for each word that it wants", () => {
    expect(ASKING.length).toBeGreaterThan(0);
    for (const command of ASKING) {
      expect(requestOf(command.name)?.name).toBe(command.name.replaceAll("-", "_"));
      expect(argvOf(command).join(" ")).not.toContain("no sample");
    }
  });

  test.skipIf(NO_OTHER_USERS !== "")(
    `answers root and operators; readers may not act, and strangers not even ask${NO_OTHER_USERS}`,
    async () => {
      await using daemon = await DaemonProcess.start({ config: CONFIG, metrics: false });
      chmodSync(daemon.directory, 0o755);
      const path = daemon.path("control.sock");
      const [byRoot, byOperator, byReader, byStranger] = await Promise.all([
        each(path),
        // Nothing but a supplementary group makes it an operator.
        each(path, as(OPERATOR, READERS, OPERATORS)),
        each(path, as(READER, READERS)),
        each(path, as(STRANGER)),
      ]);
      expect(unlike(byRoot, () => ANSWERED)).toEqual({});
      expect(unlike(byOperator, () => ANSWERED)).toEqual({});
      expect(unlike(byReader, (name) => (acts(name) ? [77] : ANSWERED))).toEqual({});
      expect(unlike(byStranger, () => [77])).toEqual({});
      for (const [name, { stdout, stderr }] of Object.entries(byReader))
        if (acts(name)) {
          expect(stdout).toBe("");
          expect(stderr).toBe(
            `varta-watch: error: you (uid ${READER}) may ask ${path}, and not act\n` +
              `varta-watch: hint: be root, or an operator: [control] operators = ["${READER}"]\n`,
          );
        }
      for (const { stdout, stderr } of Object.values(byStranger)) {
        expect(stdout).toBe("");
        expect(stderr).toStartWith(
          `varta-watch: error: you (uid ${STRANGER}) may not ask ${path}\nvarta-watch: hint: be root, or a member of group ${READERS}`,
        );
      }
      if (ASKING.some(({ name }) => acts(name))) await daemon.untilSays("act refused");
      const refusedToReader = daemon.saying("act refused").filter(({ level }) => level === "warn");
      for (const { fields } of refusedToReader) expect(fields.get("by_uid")).toBe(String(READER));
      expect(await daemon.stop()).toBe(0);
    },
  );

  test.skipIf(NO_OTHER_USERS !== "")(
    `says who is let in where the directory keeps a stranger out${NO_OTHER_USERS}`,
    async () => {
      await using daemon = await DaemonProcess.start({ metrics: false });
      const path = daemon.path("control.sock");
      const who = `you (uid ${STRANGER}) may not ask ${path}`;
      const hint = async (): Promise<string> => {
        const { status } = await each(path, as(STRANGER), [commandNamed("status")]);
        expect(status?.exitCode).toBe(77);
        expect(status?.stderr).toStartWith(`varta-watch: error: ${who}\nvarta-watch: hint: `);
        return status!.stderr.split("hint: ")[1]!;
      };
      expect(await hint()).toBe("be root, or let a group of yours in: control.group\n");
      chownSync(daemon.directory, 0, READERS);
      chmodSync(daemon.directory, 0o750);
      expect(await hint()).toBe(`be root, or a member of group ${READERS}\n`);
    },
  );

  test("ends with 69 where the daemon is down", async () => {
    using directory = new TemporaryDirectory();
    const results = await each(directory.at("control.sock"));
    expect(unlike(results, () => [69])).toEqual({});
    for (const { stderr } of Object.values(results))
      expect(stderr).toMatch(
        /^varta-watch: error: the daemon on \S+ is down\nvarta-watch: hint: systemctl status varta-watch\n$/,
      );
  });

  test("gives up after 2 s with words where the daemon is stopped", async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG, metrics: false });
    daemon.signal("SIGSTOP");
    try {
      const startMs = performance.now();
      // All at once: the kernel takes their connections, whatever the daemon would say of them.
      const all = await Promise.all(
        ASKING.map((command) => each(daemon.path("control.sock"), [], [command])),
      );
      expect(performance.now() - startMs).toBeGreaterThan(2_000);
      expect(unlike(Object.assign({}, ...all), () => [75])).toEqual({});
      for (const { stdout, stderr } of all.flatMap((one) => Object.values(one))) {
        expect(stdout).toBe("");
        expect(stderr).toBe(
          `varta-watch: error: the daemon (pid ${daemon.pid}) did not answer within 2s\nvarta-watch: hint: it is stopped (state T): kill -CONT ${daemon.pid}\n`,
        );
      }
    } finally {
      daemon.signal("SIGCONT");
    }
  });

  test("ends with 76 where the daemon speaks another protocol", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("control.sock");
    const answer = `{"v":2,"error":"bad_version","text":"found v 1; this daemon speaks 2"}\n{"done":true}\n`;
    const socket = { data: (from: { write(text: string): number }) => void from.write(answer) };
    const server = Bun.listen({ unix: path, socket });
    try {
      const results = await each(path);
      expect(unlike(results, () => [76])).toEqual({});
      for (const { stdout, stderr } of Object.values(results)) {
        expect(stdout).toBe("");
        expect(stderr).toBe(
          "varta-watch: error: the daemon speaks protocol 2, this program 1\nvarta-watch: hint: systemctl restart varta-watch\n",
        );
      }
    } finally {
      server.stop(true);
    }
  });
});

describe.concurrent("every request", () => {
  test("of another protocol is answered with the number that the daemon speaks", async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG, metrics: false });
    using client = await RawClient.open({ path: daemon.path("control.sock") });
    client.end(REQUESTS.map(({ name }) => `{"v":${PROTOCOL + 1},"do":"${name}"}\n`).join(""));
    await until("all answers", () => client.hasEnded);
    const answers = client.received.trimEnd().split('\n{"done":true}').slice(0, -1);
    expect(answers).toHaveLength(REQUESTS.length);
    for (const answer of answers)
      expect(JSON.parse(answer)).toEqual({
        v: PROTOCOL,
        error: "bad_version",
        text: `found v ${PROTOCOL + 1}; this daemon speaks ${PROTOCOL}`,
      });
  });
});
