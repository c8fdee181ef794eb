// A short run of every fuzz target on every test run, a longer one with `npm run test:long`; the
// longest are started by hand with `npm run fuzz`.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { fuzz, type FuzzTarget, SEEDS } from "./fuzz.ts";
import { parse, reportText } from "./main.ts";
import { TARGETS } from "./targets.ts";

setDefaultTimeout(TEST_MS_MAX);

const MAIN = join(import.meta.dir, "main.ts");
const ROUNDS = 20;
const ROUNDS_AT_LENGTH = 150;
/** Of those whose rounds take longer. */
const FEW_ROUNDS: Readonly<Record<string, number>> = { secure: 4, audit: 4 };

/** What even a short run comes across. */
const REACHED: Readonly<Record<string, readonly string[]>> = {
  wire: [
    ...["ok", "BadMagic", "BadVersion", "BadCrc", "BadStatus", "StallOnWire", "BadPid", "inner ok"],
    ...["BadTimestamp", "BadNonce"],
  ],
  control_datagram: [
    ...["ok", "BadMagic", "BadVersion", "BadCrc", "BadKind", "BadPid", "BadNonce", "BadName"],
  ],
  notify: [
    ...["ok", "empty", "too_long", "nul", "WATCHDOG=1", "WATCHDOG=trigger", "READY", "STOPPING"],
    ...["RELOADING", "BARRIER", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "ERRNO", "MAINPID"],
    ...["STATUS", "X_VARTA_NAME"],
  ],
  secure: ["pass", "decrypt", "replay", "wrong_size", "sender_table_full"],
  cmsg: ["pass", "reason 0", "reason 1", "reason 2", "both", "strays"],
  config: ["exit 78", "exit 64"],
  http: ["request", "400", "505", "more", "no_head"],
  control: [
    "ok",
    "bad_line",
    "bad_version",
    "unknown_request",
    "unknown_field",
    "bad_field",
    "refused",
    "no_such_agent",
  ],
  dbus: ["whole", "no message", "more", "refused", "read"],
  state: [
    "whole",
    "damaged",
    "forged, read",
    "forged, refused",
    "same boot",
    "other boot",
    "told, read",
    "told, refused",
  ],
  stream: ["whole", "half", "mixed", "frame", "control frame"],
  audit: ["good head", "bad head", "log note", "log broken", "log section", "log key"],
};

async function run(...argv: string[]) {
  const child = Bun.spawn([process.execPath, MAIN, ...argv], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, exitCode: await child.exited };
}

describe("every fuzz target", () => {
  test.each([...TARGETS.keys()])("%s finds nothing, and reaches what it is for", async (name) => {
    using target = TARGETS.get(name)!();
    const rounds = atLength(FEW_ROUNDS[name] ?? ROUNDS, ROUNDS_AT_LENGTH);
    const goOn = (round: number) => round < rounds;
    const result = await fuzz(target, { seed: 1, firstRound: 0, goOn });
    expect(result).toEqual({ rounds, failure: undefined });
    for (const what of REACHED[name]!) expect([...target.counts.keys()]).toContain(what);
  });
});

describe.concurrent("npm run fuzz", () => {
  test("plays one round alone", async () => {
    const { stdout, stderr, exitCode } = await run("cmsg", "--seed", "5", "--round", "77");
    expect(stderr).toBe("");
    expect(stdout).toStartWith("fuzz: cmsg seed=5\nfuzz: ok cmsg seed=5 rounds=1 ");
    expect(exitCode).toBe(0);
  });

  test("refuses wrong use with exit 64", async () => {
    const { stderr, exitCode } = await run("wires");
    expect(stderr).toStartWith('fuzz: error: unknown target "wires"\nUsage: ');
    expect(exitCode).toBe(64);
  });
});

describe("parse()", () => {
  test("takes seconds or rounds, seed and round", () => {
    const argv = ["wire", "--seconds", "0.5", "--seed", "7", "--round", "3"];
    expect(parse(argv)).toMatchObject({ name: "wire", seconds: 0.5, seed: 7, round: 3 });
    expect(parse(["wire", "--rounds", "9"])).toMatchObject({ rounds: 9, round: undefined });
  });

  test.each([
    [[], 'unknown target ""'],
    [["wire", "--seeds", "1"], 'unknown option "--seeds"'],
    [["wire", "--seed", "0.5"], '--seed wants a number, found "0.5"'],
    [["wire", "--seed", `${SEEDS}`], `--seed wants a number, found "${SEEDS}"`],
    [["wire", "--round", "-1"], '--round wants a number, found "-1"'],
    [["wire", "--seconds"], '--seconds wants a number, found ""'],
  ])("refuses %j", (argv, error) => {
    expect(parse(argv as string[])).toBe(error as string);
  });
});

test("reportText() ends with the command that shows the failure again", () => {
  const failure = { round: 12, what: "slot 3\n  found: 1\n  want:  2" };
  expect(reportText("cmsg", 7, { rounds: 12, failure, counts: [["pass", 4]] })).toBe(
    "fuzz: FAILED cmsg seed=7 rounds=12 pass=4\nslot 3\n  found: 1\n  want:  2\nreplay: npm run fuzz -- cmsg --seed 7 --round 12\n",
  );
});

describe("fuzz()", () => {
  /** Fails in the first round that draws a multiple of seven. */
  function superstitious(drawn: number[]): FuzzTarget {
    return {
      counts: new Map(),
      round(random) {
        const number = random.u32();
        drawn.push(number);
        if (number % 7 === 0) throw new Error(`drew ${number}`);
      },
      [Symbol.dispose]() {},
    };
  }

  test("names the failed round, and that round alone fails again", async () => {
    const drawn: number[] = [];
    const all = { seed: 3, firstRound: 0, goOn: () => true };
    const { rounds, failure } = await fuzz(superstitious(drawn), all);
    expect(drawn).toHaveLength(rounds + 1);
    expect(failure?.what).toContain(`drew ${drawn.at(-1)}`);
    const again: number[] = [];
    const one = await fuzz(superstitious(again), { ...all, firstRound: failure!.round });
    expect(again).toEqual([drawn.at(-1)!]);
    expect(one.failure?.round).toBe(failure!.round);
  });
});
