// Real programs under the rules of a configuration file: each has the threshold and the plan of its
// rule, and the pace of recoveries is that of the agent, whatever its pid is (spec 15).
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { STATUS_OK } from "../../../src/wire/frame.ts";
import { encodeFrame } from "../../../src/wire/encode.ts";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import type { LogLine } from "../../support/log_lines.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

/** Sends each line of its input as a datagram, in hex. */
const AGENT = `import os, socket, sys
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    line = os.read(0, 65).decode()
    if line == "":
        break
    out.sendto(bytes.fromhex(line), sys.argv[1])
`;

/** Nobody in these tests is silent for so long. */
const CONFIG = `
[observer]
threshold = "1h"

[[agent]]
match = { script = "watched.py", uid = ${process.getuid!()} }
name = "watched"
threshold = "1300ms"
recovery = "none"

[[agent]]
match = { script = "healed-*.py", uid = ${process.getuid!()} }
name = "healed"
threshold = "1200ms"
recovery = "heal"

[recovery]
command = ["touch", "not-by-a-plan"]
debounce = "0s"

[[recovery.plan]]
name = "heal"
command = ["sh", "./append", "{pid}", "{threshold_ms}"]
budget = 3
`;

const FILES = { append: 'echo "$@" >> healed' };

const agents = new Set<ChildProcess>();

afterAll(() => {
  for (const agent of agents) agent.kill("SIGKILL");
  endLeftovers();
});

const hasPython = Bun.which("python3") !== null;

test.concurrent.skipIf(!hasPython)(
  "each member has the threshold and the plan of its rule",
  async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG, files: FILES });
    const watched = await silentAgent(daemon, "watched.py");
    const healed = await silentAgent(daemon, "healed-1.py");
    const other = await silentAgent(daemon, "other.py");
    await Promise.all([daemon.untilStalls(watched), daemon.untilStalls(healed)]);
    await daemon.untilSays("recovery done");

    const stall = (pid: number) => named(daemon.stallsOf(pid)[0]!, "agent", "threshold_ms");
    expect(stall(watched)).toEqual(["watched", "1300"]);
    expect(stall(healed)).toEqual(["healed", "1200"]);
    expect(daemon.stallsOf(other)).toEqual([]);
    expect(readFileSync(daemon.path("healed"), "utf8")).toBe(`${healed} 1200\n`);
    expect(existsSync(daemon.path("not-by-a-plan"))).toBe(false);
    const started = daemon.saying("recovery began");
    expect(started.map((line) => named(line, "agent", "pid"))).toEqual([["healed", `${healed}`]]);
    expect(sumOf(await daemon.page(), "varta_recovery_outcomes_total")).toBe(2);
  },
);

test.concurrent.skipIf(!hasPython)(
  "a budget holds for an agent that hangs under a new pid each time",
  async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG, files: FILES });
    const pids: number[] = [];
    const outcome = (word: string) => `varta_recovery_outcomes_total{outcome="${word}"}`;
    const gaveUp = async () => sampleAt(await daemon.page(), outcome("gave_up"));
    for (let hang = 1; hang <= 5; hang++) {
      const pid = await silentAgent(daemon, `healed-${hang}.py`);
      pids.push(pid);
      await daemon.untilStalls(pid);
      if (hang <= 3) await daemon.untilSays("recovery done", hang);
      else await until(`hang ${hang} to be decided`, async () => (await gaveUp()) === hang - 3);
      process.kill(pid, "SIGKILL");
    }
    expect(new Set(pids).size).toBe(5);
    expect(sampleAt(await daemon.page(), outcome("spawned"))).toBe(3);
    const healed = readFileSync(daemon.path("healed"), "utf8").trim().split("\n");
    expect(healed).toEqual(pids.slice(0, 3).map((pid) => `${pid} 1200`));
    expect(daemon.saying("gave up").map((line) => named(line, "agent"))).toEqual([["healed"]]);
  },
);

test.concurrent.skipIf(!hasPython)("a process that its plan ended has a successor", async () => {
  const plan = 'step = [{ signal = "SIGKILL" }, { wait = "1m" }, { exec = ["true"] }]';
  await using daemon = await DaemonProcess.start({
    config: CONFIG.replace(/command = .*append.*/, plan),
  });
  const old = await silentAgent(daemon, "healed-1.py");
  await daemon.untilStalls(old);
  await daemon.untilSays("member ended");
  const young = await silentAgent(daemon, "healed-2.py");
  const { stdin } = [...agents].find(({ pid }) => pid === young)!;
  let nonce = 2;
  // On a busy machine both beats may have come before it was known whose they are.
  await until("the beat of the successor to have helped", () => {
    stdin!.write(beat(young, ++nonce));
    return daemon.saying("recovery helped").length > 0;
  });
  const [helped] = daemon.saying("recovery helped", old);
  expect(Object.fromEntries(helped!.fields)).toMatchObject({
    ...{ agent: "healed", recovery_id: "1", by_pid: `${young}` },
    steps: "SIGKILL sent; wait 1m beat came",
  });
});

/** Pid of a program of that name that beat twice, the second time after it was tracked. */
async function silentAgent(daemon: DaemonProcess, script: string): Promise<number> {
  writeFileSync(daemon.path(script), AGENT);
  const agent = spawn("python3", [daemon.path(script), daemon.socket]);
  agents.add(agent);
  const pid = agent.pid!;
  const { listeners } = await daemon.state();
  const received = listeners[0]!.received;
  for (const nonce of [1, 2]) {
    agent.stdin.write(beat(pid, nonce));
    await daemon.untilReceived(received + nonce);
  }
  return pid;
}

function named(line: LogLine, ...fields: string[]): (string | undefined)[] {
  return fields.map((field) => line.fields.get(field));
}

function beat(pid: number, nonce: number): string {
  const words = new Uint32Array(8);
  encodeFrame(words, 0, STATUS_OK, pid, 0, nonce, 0, nonce, 0);
  return `${Buffer.from(words.buffer).toString("hex")}\n`;
}
