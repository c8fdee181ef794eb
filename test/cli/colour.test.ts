import { describe, expect, test } from "bun:test";
import { wantsColour } from "../../src/cli/colour.ts";
import { PROGRAM } from "../support/program.ts";

describe("wantsColour()", () => {
  const terminal = { isTerminal: true, env: { TERM: "xterm" }, refused: false };

  test("says yes on a terminal, and nowhere else", () => {
    expect(wantsColour(terminal)).toBe(true);
    expect(wantsColour({ ...terminal, env: {} })).toBe(true);
    expect(wantsColour({ ...terminal, isTerminal: false })).toBe(false);
  });

  test("says no if one setting says no", () => {
    expect(wantsColour({ ...terminal, refused: true })).toBe(false);
    expect(wantsColour({ ...terminal, env: { NO_COLOR: "1" } })).toBe(false);
    expect(wantsColour({ ...terminal, env: { NO_COLOR: "" } })).toBe(true);
    expect(wantsColour({ ...terminal, env: { TERM: "dumb" } })).toBe(false);
  });
});

const script = Bun.which("script");

describe.skipIf(script === null)("on a terminal (needs script)", () => {
  /** What the program writes to a terminal of its own. */
  function onTerminal(args: string, env: Record<string, string> = {}): string {
    const command = `${PROGRAM.join(" ")} ${args}`;
    const { NO_COLOR: _, ...rest } = process.env;
    const { stdout } = Bun.spawnSync([script!, "-qec", command, "/dev/null"], {
      env: { ...rest, TERM: "xterm", ...env },
      stdin: "ignore",
    });
    return stdout.toString();
  }

  test("an error has colours, but with --no-color, NO_COLOR or TERM=dumb", () => {
    expect(onTerminal("decode 00")).toContain("\x1b[1;31merror:\x1b[0m");
    expect(onTerminal("decode 00 --no-color")).toContain("varta-watch: error: found");
    expect(onTerminal("decode 00", { NO_COLOR: "1" })).not.toContain("\x1b");
    expect(onTerminal("decode 00", { TERM: "dumb" })).not.toContain("\x1b");
  });

  test("the log has colours, but with --no-color, and none in JSON", () => {
    const run = "run --socket /tmp/varta-colour-test-$$.sock --shutdown-after-secs 0";
    expect(onTerminal(run)).toContain("\x1b[32mlevel=info\x1b[0m msg=");
    expect(onTerminal(`${run} --no-color`)).not.toContain("\x1b");
    expect(onTerminal(`${run} --log-format json`)).not.toContain("\x1b");
  });

  test("the log has the command that sends a beat, which a journal does not", () => {
    const run = "run --socket /tmp/varta-beat-test-$$.sock --shutdown-after-secs 0";
    const ready = /msg="ready" threshold_ms=5000( command=".* beat --socket \S+")?\s/;
    expect(ready.exec(onTerminal(`${run} --no-color`))?.[1]).toStartWith(' command="');
    const piped = Bun.spawnSync(["sh", "-c", `exec ${PROGRAM.join(" ")} ${run}`]).stderr.toString();
    expect(ready.exec(piped)?.[1]).toBeUndefined();
    expect(piped).toMatch(ready);
  });
});
