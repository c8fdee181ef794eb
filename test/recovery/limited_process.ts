// A process that recovers on demand, for tests that limit what it may have. For each line on stdin
// it does what the line says and prints what came of it: "turn" decides one stall, or goes on with
// what was put off; "fill" opens files until it may open no more, and "free" closes them; "open"
// counts what is open; "identify" looks its parent up.
import { closeSync, openSync, readdirSync } from "node:fs";
import { SpareDescriptors } from "../../src/processes/spare_descriptors.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { SystemAgentHost } from "../../src/recovery/agent_host.ts";
import { ProcessRunner } from "../../src/recovery/children/child_runner.ts";
import { recoveryHarness, stallOf } from "./harness.ts";

const capture = process.argv[2] === "capture";
const { recovery, outcomes } = recoveryHarness({
  runner: new ProcessRunner(),
  config: { command: ["/bin/true"], debounceNs: 0, capture },
});
const spares = new SpareDescriptors();
const processes = new ProcReader("/proc", spares);
const host = new SystemAgentHost(processes, () => false, spares);
const held: number[] = [];
let nowNs = 10e9;

function turn(): string {
  nowNs += 60e9;
  if (recovery.sequenceCount === 0) recovery.decideOne(stallOf(), nowNs);
  else recovery.reap(nowNs);
  const outcome = outcomes.at(-1)!;
  if (outcome.kind === "refused") return `refused ${outcome.reason}: ${outcome.error}`;
  return outcome.kind === "deferred" ? `deferred: ${outcome.error}` : outcome.kind;
}

function fill(): string {
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function free(): string {
  for (const fd of held.splice(0)) closeSync(fd);
  return "freed";
}

/** Whether the start time of the parent can be read, and a signal of no effect sent to it. */
function identify(): string {
  const startTime = processes.startTime(process.ppid);
  const failure = host.signal(process.ppid, startTime, 0);
  return `${Number.isNaN(startTime) ? "unknown" : "known"}, ${failure?.text ?? "signalled"}`;
}

const commands: Readonly<Record<string, () => string>> = {
  turn,
  fill,
  free,
  identify,
  // The directory itself is one of them.
  open: () => String(readdirSync("/proc/self/fd").length - 1),
};

console.log("ready");
for await (const line of console) console.log(commands[line]!());
