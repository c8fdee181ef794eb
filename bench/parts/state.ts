// What the state file costs: a start with 10,000 members in it beside one without, and the delays
// of others' beats while the state of 100,000 members is written, beside a time in which nothing is
// written. The 10,000 are processes, each of which is looked at in the start.
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { effectiveUid } from "../../ffi/process.ts";
import { findState } from "../../src/snapshot/found_state.ts";
import { compiledCheckout } from "../../test/support/compiled_checkout.ts";
import { Crew } from "../../test/support/crew.ts";
import { delaysOf } from "../support/delays.ts";
import { memoryOf } from "../support/process_cost.ts";
import { prepareLoad } from "../support/load.ts";
import { writeMadeState } from "../support/made_state.ts";
import type { Native } from "../support/native.ts";
import { type DaemonUnderTest, startDaemon, WITH_PROBE } from "../support/receivers.ts";
import { median, type Report, times } from "../support/report.ts";

const READY_MEMBERS = 10_000;
/** A crew has places for 8,192. */
const CREWS = 2;
const STARTS = 9;
const READY_MS_MAX = 100;
const READY_RATIO_MAX = 1.5;
const WAIT_MS_MAX = 60_000;

const MEMBERS = 100_000;
const STEADY = { agents: 100, rate: 1_000, burst: 1 };
const WINDOW_S = 20;
const WARM_UP_S = 10;
const CHANGE_MS = 500;
const DELAY_US_MAX = 10_000;
/** Two buffers of 0.3 MiB, and what the collector leaves of a heap of 200 for a while. */
const WRITING_MIB_MAX = 32;
/** Nobody falls silent for so long. */
const QUIET = '[observer]\nthreshold = "600s"\n';

export async function measureState(report: Report, native: Native, directory: string) {
  await measureReady(report, directory);
  await measureDelays(report, native, directory);
}

async function measureReady(report: Report, parent: string): Promise<void> {
  const directory = join(parent, "ready");
  mkdirSync(directory);
  const program = await compiledCheckout();
  const socket = join(directory, "beats.sock");
  const state = join(directory, "state");
  const kept = join(directory, "kept");
  const withState = configIn(directory, "with", `${QUIET}[state]\nfile = "${state}"\n`);
  const without = configIn(directory, "without", `state = "off"\n${QUIET}`);
  const start = (config: string) => readyMs(program, socket, config);
  const crews = Array.from({ length: CREWS }, () => new Crew(socket));
  try {
    const first = await start(withState);
    for (const crew of crews)
      await crew.agents({ count: READY_MEMBERS / CREWS, intervalMs: 5_000, beats: 1 });
    await untilMembers(state, READY_MEMBERS);
    await first.end("SIGTERM");
    copyFileSync(state, kept);
    const took: Record<"with" | "without", number[]> = { with: [], without: [] };
    for (let round = 0; round < STARTS; round++)
      for (const [which, config] of [
        ["with", withState],
        ["without", without],
      ] as const) {
        copyFileSync(kept, state);
        const daemon = await start(config);
        took[which].push(daemon.ms);
        await daemon.end("SIGKILL");
      }
    reportReady(report, took, statSync(kept).size);
  } finally {
    for (const crew of crews) await crew[Symbol.asyncDispose]();
  }
}

function reportReady(
  report: Report,
  took: Readonly<Record<"with" | "without", readonly number[]>>,
  bytes: number,
): void {
  const ms = median(took.with);
  const ratio = ms / median(took.without);
  report.add({
    what: `start to READY with ${READY_MEMBERS} members in the state`,
    value: `${ms.toFixed(0)} ms, ${times(ratio)}`,
    required: `at most ${READY_MS_MAX} ms, or ${READY_RATIO_MAX} x without`,
    holds: ms <= READY_MS_MAX || ratio <= READY_RATIO_MAX,
  });
  report.add({
    what: "  the same without a state",
    value: `${median(took.without).toFixed(0)} ms`,
  });
  const longest = [took.with, took.without].map((each) => Math.max(...each).toFixed(0));
  report.add({
    what: `  longest of ${STARTS}, with and without`,
    value: `${longest.join(", ")} ms`,
  });
  report.add({ what: "  bytes of the file", value: sizeText(bytes, READY_MEMBERS) });
}

async function measureDelays(report: Report, native: Native, parent: string): Promise<void> {
  const directory = join(parent, "delays");
  mkdirSync(directory);
  const state = join(directory, "state");
  const edge = '[[listener]]\nkind = "udp"\nname = "edge"\naddress = "127.0.0.1"\nport = 47921\n';
  const config = configIn(
    directory,
    "delays",
    `${QUIET}[state]\nfile = "${state}"\n${edge}accept_plaintext = true\n`,
  );
  const bytes = writeMadeState(state, MEMBERS, "edge");
  const capacity = ["--tracker-capacity", String(2 * MEMBERS)];
  await using daemon = await startDaemon(WITH_PROBE, ["--config", config, ...capacity]);
  const seconds = WARM_UP_S + 2 * WINDOW_S + 5;
  await using load = await prepareLoad(native.flood, daemon.socket, { ...STEADY, seconds });
  const done = load.run();
  await Bun.sleep(WARM_UP_S * 1_000);
  const quietUs = await window(report, daemon, state, { isChanging: false, longestUs: 0 });
  const before = memoryOf(daemon.pid);
  await window(report, daemon, state, { isChanging: true, longestUs: quietUs });
  const after = memoryOf(daemon.pid);
  await done;
  const anonymousMib = [before, after].map((memory) => memory.anonymousMib) as [number, number];
  report.add({
    what: "  anonymous memory before and after",
    value: `${anonymousMib.map((mib) => mib.toFixed(0)).join(", ")} MiB`,
    required: `at most ${WRITING_MIB_MAX} MiB more`,
    holds: anonymousMib[1] <= anonymousMib[0] + WRITING_MIB_MAX,
  });
  report.add({ what: "  bytes of the file", value: sizeText(bytes, MEMBERS) });
  const found = findState(state, effectiveUid());
  const members = found.kind === "state" ? found.state.member.length : 0;
  report.add({
    what: "  members in the file at the end",
    value: String(members),
    required: `${MEMBERS + STEADY.agents}`,
    holds: members === MEMBERS + STEADY.agents,
  });
}

/** The longest delay. `longestUs`: the same while nothing was written. */
async function window(
  report: Report,
  daemon: DaemonUnderTest,
  state: string,
  { isChanging, longestUs }: { readonly isChanging: boolean; readonly longestUs: number },
): Promise<number> {
  const files = new Set<number>();
  await delaysOf(daemon);
  const endMs = performance.now() + WINDOW_S * 1_000;
  while (performance.now() < endMs) {
    if (isChanging) await ask(daemon, '{"v":1,"do":"mute","all":true,"for":"1h"}\n');
    await Bun.sleep(CHANGE_MS);
    files.add(statSync(state).mtimeMs);
  }
  const delays = await delaysOf(daemon);
  const [p50, p99, max] = [0.5, 0.99, 1].map((part) => delays.atPart(part)) as [
    number,
    number,
    number,
  ];
  const texts = [p50, p99, max].map((us) => (us / 1_000).toFixed(2)).join(", ");
  const required = `longest at most ${DELAY_US_MAX / 1_000} ms, or as without`;
  const holds = max <= Math.max(DELAY_US_MAX, longestUs) && files.size > WINDOW_S / 5;
  report.add({
    what: isChanging
      ? `delay of a beat while ${MEMBERS} members are written, p50, p99, longest`
      : `delay of a beat beside ${MEMBERS} members, p50, p99, longest`,
    value: `${texts} ms`,
    ...(isChanging && { required, holds }),
  });
  if (isChanging) report.add({ what: "  files that were written", value: `${files.size}` });
  return max;
}

function ask({ directory }: DaemonUnderTest, request: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  void Bun.connect({
    unix: join(directory, "control.sock"),
    socket: {
      open: (socket) => void socket.write(request),
      data: (socket) => void socket.end(),
      close: () => resolve(),
    },
  });
  return promise;
}

interface Started {
  readonly ms: number;
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** From before the fork until its log says that it is ready. */
async function readyMs(program: string, socket: string, config: string): Promise<Started> {
  const beganMs = performance.now();
  const limits = ["--max-beat-rate", "0", "--tracker-capacity", String(2 * READY_MEMBERS)];
  const argv = [program, "run", "--socket", socket, "--config", config, ...limits];
  const child = Bun.spawn([...argv, "--shutdown-after-secs", "600"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let log = "";
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  void (async () => {
    const decoder = new TextDecoder();
    for await (const part of child.stderr) {
      log += decoder.decode(part, { stream: true });
      if (log.includes('msg="ready"')) resolve(performance.now() - beganMs);
    }
    reject(new Error(`Cannot start the daemon: ${log}`));
  })();
  return {
    ms: await promise,
    end: async (signal) => {
      child.kill(signal);
      await child.exited;
    },
  };
}

async function untilMembers(path: string, count: number): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  let members = 0;
  while (performance.now() < endMs) {
    await Bun.sleep(500);
    const found = existsSync(path) ? findState(path, effectiveUid()) : undefined;
    members = found?.kind === "state" ? found.state.member.length : 0;
    if (members === count) return;
  }
  throw new Error(`Only ${members} of ${count} members came into the state`);
}

function configIn(directory: string, name: string, text: string): string {
  const path = join(directory, `${name}.toml`);
  rmSync(path, { force: true });
  writeFileSync(path, text);
  return path;
}

function sizeText(bytes: number, members: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB, ${(bytes / members).toFixed(0)} each`;
}
