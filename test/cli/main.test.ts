// Command lines as a shell sees them: real child processes, what they print where, and how they
// end.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FixtureHost } from "../config/fixture_host.ts";
import { PROGRAM, SOURCE_PROGRAM } from "../support/program.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const ROOT = join(import.meta.dir, "../..");

let fixture: FixtureHost;

beforeAll(() => {
  fixture = new FixtureHost();
});

afterAll(() => {
  fixture[Symbol.dispose]();
});

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

function vartaWatch(...argv: string[]): Ended {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...PROGRAM, ...argv], {
    cwd: fixture.directory,
  });
  return { stdout: stdout.toString(), stderr: fixture.plain(stderr.toString()), exitCode };
}

/** What a terminal shows of a command line. */
async function onTerminal(...argv: string[]): Promise<{ shown: string; exitCode: number }> {
  const bytes: Uint8Array[] = [];
  let isOver = false;
  const child = Bun.spawn([...PROGRAM, ...argv], {
    cwd: fixture.directory,
    terminal: {
      data: (_terminal, data) => void bytes.push(data.slice()),
      exit: () => (isOver = true),
    },
  });
  const exitCode = await child.exited;
  await until("all of it to be shown", () => isOver);
  return { shown: Buffer.concat(bytes).toString().replaceAll("\r\n", "\n"), exitCode };
}

const FRAME = "5641020139300000d2029649000000006400000000000000efbeadde7bbc775f";

describe("varta-watch check", () => {
  test("accepts the example file where its directory is: one line on stdout, exit 0", () => {
    const text = readFileSync(join(ROOT, "varta.toml.example"), "utf8");
    const listens = { "/run/varta": fixture.directory, "127.0.0.1:9469": "127.0.0.1:0" };
    let example = text;
    for (const [from, to] of Object.entries(listens)) example = example.replaceAll(from, to);
    const file = fixture.write("example.toml", example);
    expect(vartaWatch("check", "-c", file)).toEqual({
      stdout: `varta-watch: no problems in ${file}\n`,
      stderr: "",
      exitCode: 0,
    });
  });

  test("prints all problems of the worked example on stderr and exits 78", () => {
    const bad = join(ROOT, "test/fixtures/config/bad/worked_example");
    fixture.writeSecrets();
    fixture.write("varta.toml", readFileSync(`${bad}.toml`, "utf8"));
    expect(vartaWatch("check", "-c", "varta.toml")).toEqual({
      stdout: "",
      stderr: readFileSync(`${bad}.txt`, "utf8"),
      exitCode: 78,
    });
    expect(vartaWatch("-t", "--config=varta.toml").exitCode).toBe(78);
  });

  test("prints all usage errors on stderr and exits 64", () => {
    expect(vartaWatch("check", "--socket", "--tracker-capacity=0", "--key-env=X")).toEqual({
      stdout: "",
      stderr: [
        "command line: --socket: found no value; want --socket PATH",
        "command line: --key-env: found an option that was removed; want --key-file: keys in the environment leak through /proc and container inspection",
        "command line: --tracker-capacity: found 0, which would watch no agent; want an integer from 1 to 1048576",
        "varta-watch: 3 problems on the command line",
        'varta-watch: hint: "varta-watch help check" shows what is possible',
        "",
      ].join("\n"),
      exitCode: 64,
    });
  });

  test("--json puts the result on stdout, good or bad", () => {
    fixture.write("good.toml", '[log]\nlevel = "warn"\n');
    const good = vartaWatch("check", "--json", "--print", "-c", "good.toml", "--read-timeout-ms=1");
    const result = JSON.parse(good.stdout);
    expect(result).toMatchObject({ ok: true, warnings: ["--read-timeout-ms has no effect here"] });
    expect(result.keys).toContainEqual({
      table: "log",
      key: "level",
      value: "warn",
      origin: "file",
    });
    expect(good).toMatchObject({ stderr: "", exitCode: 0 });

    fixture.write("bad.toml", "[log]\nlevle = 1\n");
    const bad = vartaWatch("check", "--json", "-c", "bad.toml");
    expect(JSON.parse(fixture.plain(bad.stdout))).toEqual({
      ok: false,
      exit_code: 78,
      user: expect.any(String),
      problems: [
        {
          source: "/etc/varta/bad.toml",
          line: 2,
          column: 1,
          key: "log.levle",
          where: "log.levle",
          text: 'found an unknown key; want one of the keys of [log]; did you mean "level"?',
        },
      ],
    });
    expect(bad).toMatchObject({ stderr: "", exitCode: 78 });
    expect(JSON.parse(vartaWatch("check", "--json", "--nope").stdout)).toMatchObject({
      exit_code: 64,
    });
  });

  test("--print shows values with their origins and hides secrets, and is a valid file", () => {
    const listener = '[[listener]]\nkind = "unix"\npath = "/etc/varta/v.sock"\n';
    fixture.write(
      "env.toml",
      `${listener}[recovery]\ncommand = ["true"]\nenv = { TOKEN = "hush" }\n`,
    );
    const { stdout } = vartaWatch("check", "--print", "-c", "env.toml", "--threshold-ms=1500");
    expect(stdout).toMatch(/^threshold = "1500ms" +# --threshold-ms$/m);
    expect(stdout).toMatch(/^command = \["true"\] +# file$/m);
    expect(stdout).toMatch(/^env = \{ "TOKEN" = "\(set\)" \} +# file$/m);
    expect(stdout).toMatch(/^capacity = 4096 +# default$/m);
    expect(stdout).not.toContain("hush");
    fixture.write("printed.toml", stdout);
    const again = vartaWatch("check", "--print", "-c", "printed.toml");
    expect(again.exitCode).toBe(0);
    expect(withoutComments(again.stdout)).toBe(withoutComments(stdout));
  });
});

function withoutComments(text: string): string {
  return text.replaceAll(/ *#.*$/gm, "");
}

describe("varta-watch", () => {
  test("says what the system forbids where no code may be compiled at run time", () => {
    const { stderr, exitCode } = Bun.spawnSync([...PROGRAM, "beat"], {
      env: { ...process.env, JavaScriptCoreUseJIT: "0" },
    });
    expect(stderr.toString()).toStartWith("varta-watch: error: cannot call the C library");
    expect(stderr.toString()).toContain("varta-watch: hint: ");
    expect(stderr.toString()).not.toContain("bug");
    expect(exitCode).toBe(1);
  });

  test("help and --help print the same on stdout and exit 0", () => {
    const help = vartaWatch("help");
    expect(help).toMatchObject({ stderr: "", exitCode: 0 });
    expect(vartaWatch("--help")).toEqual(help);
    expect(help.stdout).toContain("Usage:");
    expect(vartaWatch("help", "beat").stdout).toStartWith("Usage: varta-watch beat [OPTION...]\n");
  });

  test("alone on a terminal prints help, and with an option or run it is the daemon", async () => {
    const help = vartaWatch("help").stdout;
    for (const argv of [[], ["--no-color"]])
      expect(await onTerminal(...argv)).toEqual({ shown: help, exitCode: 0 });
    for (const argv of [
      ["--threshold-ms", "0"],
      ["run", "--threshold-ms", "0"],
    ]) {
      const { shown, exitCode } = await onTerminal(...argv);
      expect(shown).toContain("threshold");
      expect(exitCode).toBe(64);
    }
  });

  test("alone without a terminal is the daemon, as a supervisor starts it", () => {
    // One that cannot start: another would take the default socket of this machine.
    const env = { ...process.env, JavaScriptCoreUseJIT: "0" };
    const { stdout, stderr, exitCode } = Bun.spawnSync([...PROGRAM], { env });
    expect(stdout.toString()).toBe("");
    expect(stderr.toString()).toStartWith("varta-watch: error: cannot call the C library");
    expect(exitCode).toBe(1);
  });

  test("help of an unknown command exits 64", () => {
    expect(vartaWatch("help", "chekc")).toMatchObject({
      stdout: "",
      stderr: expect.stringContaining('did you mean "check"?'),
      exitCode: 64,
    });
  });

  test("version is one line with version, commit, runtime and platform", () => {
    const { stdout, exitCode } = vartaWatch("--version");
    expect(stdout).toMatch(
      /^varta-watch \d+\.\d+\.\d+ \([0-9a-z-]+, bun \d+\.\d+\.\d+, [a-z0-9]+-[a-z0-9]+\)\n$/,
    );
    expect(exitCode).toBe(0);
  });

  test("decode shows the fields of a frame, with or without spaces", () => {
    const fields = [
      "status     degraded",
      "pid        12345",
      "timestamp  1234567890 ns",
      "nonce      100",
      "payload    3735928559 (0xdeadbeef)",
      "",
    ].join("\n");
    expect(vartaWatch("decode", FRAME)).toEqual({ stdout: fields, stderr: "", exitCode: 0 });
    const words = FRAME.match(/.{8}/g)!;
    expect(vartaWatch("decode", ...words).stdout).toBe(fields);
  });

  test("decode names the reason of a refusal and exits 1", () => {
    expect(vartaWatch("decode", FRAME.replace("5f", "5e"))).toEqual({
      stdout: "refused    BadCrc\n",
      stderr:
        "varta-watch: error: varta-vlp: CRC-32C mismatch: expected 0x5f77bc7b, found 0x5e77bc7b\n",
      exitCode: 1,
    });
  });

  test("decode of anything but 64 hex digits exits 64", () => {
    for (const hex of ["", FRAME.slice(2), `${FRAME}00`, `zz${FRAME.slice(2)}`]) {
      const { stderr, exitCode } = vartaWatch("decode", hex);
      expect(stderr).toStartWith("varta-watch: error: found ");
      expect(exitCode).toBe(64);
    }
  });
});

describe("the checkout run by the runtime", () => {
  test("is the same program, and says that it is no build", async () => {
    const [program, main] = SOURCE_PROGRAM;
    const version = Bun.spawnSync([program!, main!, "--version"]).stdout.toString();
    expect(version.replace("(source, ", "(test, ")).toBe(vartaWatch("--version").stdout);

    const socket = join(fixture.directory, "source.sock");
    const daemon = Bun.spawn([...SOURCE_PROGRAM, "run", "--socket", socket], {
      cwd: fixture.directory,
      stdout: "ignore",
      stderr: "ignore",
    });
    await until("its socket", () => existsSync(socket));
    daemon.kill("SIGTERM");
    expect(await daemon.exited).toBe(0);
  });
});
