// A start that fails speaks in the form of the log that the daemon would have had.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { FixtureHost } from "../config/fixture_host.ts";
import { runCommand } from "../support/command.ts";
import { PROGRAM } from "../support/program.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

let fixture: FixtureHost;

beforeAll(() => {
  fixture = new FixtureHost();
});

afterAll(() => {
  fixture[Symbol.dispose]();
});

const LISTENER = '[[listener]]\nkind = "unix"\npath = "/etc/varta/none/v.sock"\n';

/** What `run` says with `config`, as JSON lines; the warnings of a start are left out. */
async function failed(config: string | undefined, ...args: string[]) {
  const file = config === undefined ? [] : ["-c", fixture.write("varta.toml", config)];
  const { exitCode, stderr } = await runCommand([...PROGRAM, "run", ...file, ...args]);
  const lines = fixture.plain(stderr).trimEnd().split("\n");
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const { time } of records) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return { exitCode, records: records.filter(({ level }) => level === "error") };
}

describe("with the log in JSON", () => {
  test("every problem of the file is a line with its place, and the last line has the count", async () => {
    const { exitCode, records } = await failed(
      `[log]\nformat = "json"\nlevle = 1\n${LISTENER}mode = 5\n`,
    );
    expect(exitCode).toBe(78);
    expect(records).toMatchObject([
      {
        msg: "configuration refused",
        file: "/etc/varta/varta.toml",
        line: 3,
        column: 1,
        key: "log.levle",
        problem: 'found an unknown key; want one of the keys of [log]; did you mean "level"?',
      },
      { key: "listener[0].mode", where: "1st [[listener]]: mode" },
      { msg: "not started", problems: 2, exit_code: 78 },
    ]);
    expect(new Set(records.map((record) => record["session_id"])).size).toBe(1);
  });

  test("so is a fault of the machine, with its hint", async () => {
    const { exitCode, records } = await failed(`[log]\nformat = "json"\n${LISTENER}`);
    expect(exitCode).toBe(1);
    expect(records).toMatchObject([
      {
        msg: "not started",
        reason: "cannot bind /etc/varta/none/v.sock: its directory /etc/varta/none does not exist",
        hint: "create it, for example: install -d -m 0755 /etc/varta/none",
      },
    ]);
  });

  test("--log-format decides, also where the file or the command line cannot be read", async () => {
    expect((await failed("threshold = 5s", "--log-format=json")).records).toMatchObject([
      { line: 1, column: 13 },
      { exit_code: 78 },
    ]);
    expect((await failed(undefined, "--log-format", "json", "--nonsense")).records).toMatchObject([
      { key: "--nonsense" },
      { exit_code: 64 },
    ]);
  });
});

test("in logfmt, if that is chosen, each is a line of it", async () => {
  const file = fixture.write("varta.toml", `[log]\nformat = "logfmt"\nlevle = 1\n${LISTENER}`);
  const { stderr } = await runCommand([...PROGRAM, "-c", file]);
  const lines = fixture.plain(stderr).replaceAll(/^time=\S+ /gm, "");
  expect(lines).toBe(
    'level=error msg="configuration refused" file=/etc/varta/varta.toml line=3 column=1 key=log.levle where=log.levle problem="found an unknown key; want one of the keys of [log]; did you mean \\"level\\"?"\n' +
      'level=error msg="not started" problems=1 exit_code=78\n',
  );
});

test("without a choice a failed start is reported in the words for people", async () => {
  const file = fixture.write("varta.toml", LISTENER);
  const { stderr } = await runCommand([...PROGRAM, "-c", file]);
  expect(stderr).toContain("varta-watch: error: cannot bind ");
  expect(stderr).toContain("varta-watch: hint: create it");
});

test("what a terminal would obey is escaped in errors, too", async () => {
  const file = fixture.write(
    "varta.toml",
    '[[listener]]\nkind = "unix"\npath = "/etc/varta/\\u009b\\u202enone/v.sock"\n',
  );
  const { stderr } = await runCommand([...PROGRAM, "-c", file]);
  expect(stderr).toContain("\\u009b\\u202enone");
  expect(stderr).not.toMatch(/[\u009b\u202e]/);
});
