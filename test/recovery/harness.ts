// What the recovery tests share: a runner that obeys the test instead of the system, stalls with
// every field set, and waiting for a condition.
import { constants } from "node:os";
import { RULE_NONE } from "../../src/agents/rules.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../../src/base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import type { Config } from "../../src/config/config.ts";
import type { Stall } from "../../src/events/stall.ts";
import { type AgentHost, HOLDER_SHOWN } from "../../src/recovery/agent_host.ts";
import type { AgentUnit } from "../../src/processes/unit_of_process.ts";
import type { CapturedOutput } from "../../src/events/captured_output.ts";
import type { ChildOutput } from "../../src/recovery/children/child_output.ts";
import type {
  ChildRunner,
  ChildSetting,
  ExitCallback,
  SpawnResult,
} from "../../src/recovery/children/child_runner.ts";
import { STALL_VERDICTS } from "../../src/events/stall_verdict.ts";
import type {
  BeganOutcome,
  CompleteOutcome,
  RecoveryOutcome,
  ResultOutcome,
} from "../../src/events/outcome.ts";
import type { OutcomeLabel } from "../../src/events/outcome_words.ts";
import { type Failure, failureOf, lastingFailure } from "../../src/processes/failure.ts";
import { RECOVERY } from "../../src/recovery/counters.ts";
import { Recovery } from "../../src/recovery/recovery.ts";
import type { RecoveryOptions, WaitingStalls } from "../../src/recovery/recovery_options.ts";

export const OWN_NAMESPACE = 4_026_531_836;
export const { SIGKILL, SIGTERM } = constants.signals;

export interface StartedChild {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly setting: ChildSetting;
  readonly exited: ExitCallback;
  /** Signals sent to its group, in order. */
  readonly signals: number[];
  /** What it prints, if its output is captured and the test has no other for it. */
  says(text: string): void;
}

/** Children are entries in `children`; `childPid` is 1000 for the first, then 1001, ... */
export class ScriptedRunner implements ChildRunner {
  readonly children: StartedChild[] = [];
  /** Attempts, the failed ones included. */
  spawnCount = 0;
  /** Not empty: the next spawns fail with it, and would fail again. */
  spawnError = "";
  /** Not 0: the next spawns fail with this error number. */
  spawnErrno = 0;
  /** Not 0: signals fail with it, and are not noted. */
  signalResult = 0;
  /** Not undefined: children exit with this code before spawn() returns. */
  exitCodeAtOnce: number | undefined = undefined;
  /** The output of the next children. */
  output: ChildOutput | undefined = undefined;

  spawn(
    argv: string[],
    env: Record<string, string>,
    exited: ExitCallback,
    setting: ChildSetting,
  ): SpawnResult {
    this.spawnCount += 1;
    if (this.spawnError !== "") return { failure: lastingFailure(this.spawnError) };
    if (this.spawnErrno !== 0) return { failure: failureOf(this.spawnErrno) };
    const said = new SaidOutput();
    const says = (text: string): void => {
      said.text = text;
    };
    this.children.push({ argv, env, setting, exited, signals: [], says });
    if (this.exitCodeAtOnce !== undefined) exited(this.exitCodeAtOnce, NaN);
    const output = this.output ?? (setting.capture === undefined ? undefined : said);
    return { childPid: 999 + this.children.length, output };
  }

  signalGroup(childPid: number, signal: number): number {
    if (this.signalResult !== 0) return this.signalResult;
    this.children[childPid - 1000]!.signals.push(signal);
    return 0;
  }
}

/** Output that was there at once. */
class SaidOutput implements ChildOutput {
  readonly isDone = true;
  readonly mayLinger = false;
  text = "";

  pump(): number {
    return 0;
  }

  close(): void {}

  captured(): CapturedOutput {
    const stdoutTail = Buffer.from(this.text);
    const { length } = stdoutTail;
    const rest = { stderrSizeBytes: 0, stderrTail: new Uint8Array(0), truncated: false };
    return { isAudited: true, stdoutSizeBytes: length, stdoutTail, ...rest };
  }
}

/** The system around agents, scripted: every process lives, none has a unit. */
export class ScriptedHost implements AgentHost {
  /** "4242 SIGTERM" would be "4242 15". */
  readonly signals: string[] = [];
  /** Not empty: signals fail with it. */
  signalError = "";
  /** Not 0: signals fail with this error number. */
  signalErrno = 0;
  readonly dead = new Set<number>();
  /** Which processes have the pids of agents that could not be identified: a HOLDER_* code. */
  holder: number = HOLDER_SHOWN;
  readonly units = new Map<number, string>();
  /** Units of which a process that came later beats. */
  readonly beating = new Set<string>();

  signal(pid: number, _generation: number, signal: number): Failure | undefined {
    if (this.signalError !== "") return lastingFailure(this.signalError);
    if (this.signalErrno !== 0) return failureOf(this.signalErrno);
    this.signals.push(`${pid} ${signal}`);
    return undefined;
  }

  holderOf(): number {
    return this.holder;
  }

  isAlive(pid: number): boolean {
    return !this.dead.has(pid);
  }

  unitOf(pid: number): AgentUnit | string {
    const name = this.units.get(pid);
    return name === undefined ? "it is no service" : { name, cgroup: `/system.slice/${name}` };
  }

  nowGeneration(): number {
    return 1_000;
  }

  monotonicUs(): number {
    return 5_000_000;
  }

  hasSuccessor({ name }: AgentUnit): boolean {
    return this.beating.has(name);
  }
}

export function stallOf(fields: Partial<Stall> = {}): Stall {
  return {
    pid: 4242,
    lastNonceHi: 0,
    lastNonceLo: 17,
    lastNs: 2 * NS_PER_S,
    observerNs: 7 * NS_PER_S,
    thresholdNs: 5 * NS_PER_S,
    origin: ORIGIN_KERNEL_ATTESTED,
    namespaceInode: OWN_NAMESPACE,
    generation: 777,
    innerPid: 0,
    uid: 1_000,
    proven: true,
    key: fields.pid ?? 4242,
    agent: 9,
    rule: RULE_NONE,
    source: "",
    refused: [],
    status: 1,
    payload: 3_000_000_000,
    listener: 1,
    ...fields,
  };
}

export function recoveryConfig(fields: Partial<Config["recovery"]> = {}): Config["recovery"] {
  return {
    command: ["/bin/recover", "{pid}"],
    commandSource: "inline",
    appendPid: false,
    debounceNs: NS_PER_S,
    env: {},
    inheritEnv: false,
    timeoutNs: undefined,
    killGraceNs: 2 * NS_PER_S,
    capture: false,
    captureBytes: 4096,
    shutdownGraceNs: 5 * NS_PER_S,
    steps: [],
    restartUnits: [],
    cwd: undefined,
    umask: undefined,
    backoffMaxNs: undefined,
    backoffResetNs: 600 * NS_PER_S,
    budget: undefined,
    budgetWindowNs: 3_600 * NS_PER_S,
    paceBy: "process",
    stormLimit: 0,
    stormWindowNs: 60 * NS_PER_S,
    verifyWithinNs: undefined,
    retry: false,
    dryRun: false,
    when: STALL_VERDICTS,
    ...fields,
  };
}

/** Hands out `next()` until it is undefined. */
export function waiting(next: () => Stall | undefined): WaitingStalls {
  let ahead = next();
  return {
    get isEmpty() {
      return ahead === undefined;
    },
    take() {
      const stall = ahead!;
      ahead = next();
      return stall;
    },
  };
}

/** One agent after the other is silent, and no turn has room for all. */
export class EndlessStalls implements WaitingStalls {
  readonly isEmpty = false;
  taken = 0;
  readonly #firstPid: number;

  constructor(firstPid: number) {
    this.#firstPid = firstPid;
  }

  take(): Stall {
    return stallOf({ pid: this.#firstPid + this.taken++ });
  }
}

type CountedRow =
  | "lastFiredEvictions"
  | "debounceRecycleResets"
  | "outstandingRecycleResets"
  | "spawnBudgetExceeded"
  | "invariantViolations"
  | "reapTruncated";

/** A recovery that is given single stalls. */
export class HarnessRecovery extends Recovery {
  readonly #outcomes: readonly RecoveryOutcome[];

  constructor(options: RecoveryOptions, outcomes: readonly RecoveryOutcome[]) {
    super(options);
    this.#outcomes = outcomes;
  }

  /** What was counted in a row that has no label. */
  counted(row: CountedRow): number {
    this.counters.refresh(0);
    return this.counters.get(RECOVERY[row]);
  }

  /** Decides one stall in the first half of a turn of its own: the label of what came of it. */
  decideOne(stall: Stall, nowNs: number): OutcomeLabel {
    const before = this.#outcomes.length;
    const stalls = [stall];
    this.decide(
      waiting(() => stalls.shift()),
      nowNs,
    );
    const labels = this.#outcomes.slice(before).flatMap((one) => ("label" in one ? one.label : []));
    // An answer of the service manager is awaited, which no outcome says.
    return labels.findLast((label) => label !== undefined) ?? "deferred";
  }
}

/** A recovery with everything around it scripted. */
export interface RecoveryHarness {
  readonly recovery: HarnessRecovery;
  /** All but those of `runs`. */
  readonly outcomes: RecoveryOutcome[];
  /** Which recoveries began, and what they came to. */
  readonly runs: (BeganOutcome | ResultOutcome)[];
  /** Takes the outcomes since the last call, as short texts. */
  tell(): string[];
  /** Takes `runs`: "1 began", "1 not_helped: SIGTERM sent; wait 2s no beat". */
  tellRuns(): string[];
}

export interface RecoveryHarnessOptions
  extends Partial<Omit<RecoveryOptions, "config" | "runner">> {
  readonly runner: ChildRunner;
  readonly config?: Partial<Config["recovery"]>;
}

export function recoveryHarness({
  runner,
  config,
  ...others
}: RecoveryHarnessOptions): RecoveryHarness {
  const outcomes: RecoveryOutcome[] = [];
  const runs: (BeganOutcome | ResultOutcome)[] = [];
  let told = 0;
  const options: RecoveryOptions = {
    config: recoveryConfig(config),
    allowCrossNamespace: false,
    listenerNames: ["main", "aux"],
    runner,
    freshness: () => 0,
    outcomes: (outcome) => {
      if (outcome.kind === "began" || outcome.kind === "result") runs.push(outcome);
      else outcomes.push(outcome);
    },
    capacity: 64,
    observerNamespaceInode: OWN_NAMESPACE,
    unixMsAtStart: () => 1_700_000_000_000,
    daemonEnv: {},
    ...others,
  };
  const recovery = new HarnessRecovery(options, outcomes);
  return {
    recovery,
    outcomes,
    runs,
    tell() {
      const texts = outcomes.slice(told).map(outcomeLine);
      told = outcomes.length;
      return texts;
    },
    tellRuns() {
      return runs.splice(0).map((outcome) => {
        const { kind, recoveryId } = outcome;
        if (kind === "began") return `${recoveryId} began`;
        const { result, reason, steps } = outcome;
        return `${recoveryId} ${result}: ${steps}${reason === "" ? "" : `, ${reason}`}`;
      });
    },
  };
}

/** When the first child of `running()` is started. */
export const T0 = 10 * NS_PER_S;
export const TIMED = { timeoutNs: 300 * NS_PER_MS, killGraceNs: 200 * NS_PER_MS };

/** A recovery with `count` running children of agents 1, 2, ..., started 1 ms apart from T0 on. */
export function running(
  count: number,
  config: Parameters<typeof recoveryHarness>[0]["config"] = TIMED,
) {
  const runner = new ScriptedRunner();
  const made = recoveryHarness({ runner, config: { debounceNs: 0, ...config }, capacity: 2048 });
  for (let index = 0; index < count; index++) {
    made.recovery.decideOne(stallOf({ pid: 1 + index }), T0 + index * NS_PER_MS);
  }
  made.tell();
  return { runner, ...made };
}

/** `ms` after `T0`. */
export function after(ms: number): number {
  return T0 + ms * NS_PER_MS;
}

/**
 * "spawn 4242 child 1000", "refused 4242 debounced", "complete 4242 child 1000 killed signal 9
 * after 5ms", "deferred 4242 exec by 100ms: EMFILE", "step 4242 1/3 signal SIGTERM", "end 4242
 * exhausted at 3/3 after 5ms", "verdict 4242 recovered after 5ms", "storm begins at 2 in
 * 60000ms".
 */
function outcomeLine(outcome: RecoveryOutcome): string {
  if (outcome.kind === "storm") {
    const { begins, limit, windowNs, refusedCount, durationNs } = outcome;
    return begins
      ? `storm begins at ${limit} in ${windowNs / NS_PER_MS}ms`
      : `storm over after ${durationNs / NS_PER_MS}ms, refused ${refusedCount}`;
  }
  const dry = "dryRun" in outcome && outcome.dryRun ? "dry run: " : "";
  const who = `${dry}${outcome.kind} ${outcome.pid}`;
  switch (outcome.kind) {
    case "began":
    case "result":
      return who;
    case "refused":
      return `${who} ${outcome.reason}`;
    case "spawn":
      return `${who} child ${outcome.childPid}`;
    case "deferred":
      return `${who} ${outcome.step} by ${outcome.pauseNs / NS_PER_MS}ms: ${outcome.error.split(" ")[0]}`;
    case "timeout":
      return `${who} child ${outcome.childPid} ${afterText(outcome)}`;
    case "complete": {
      const child = `child ${outcome.childPid}`;
      return `${who} ${child} ${outcome.completion} ${endText(outcome)} ${afterText(outcome)}`;
    }
    case "step":
      return `${who} ${outcome.stepNumber}/${outcome.stepCount} ${outcome.step} ${outcome.detail}`;
    case "end":
      return `${who} ${outcome.end} at ${outcome.stepNumber}/${outcome.stepCount} ${afterText(outcome)}`;
    case "verdict": {
      const unit = outcome.unit === "" ? "" : ` by ${outcome.unit}`;
      return `${who} ${outcome.result}${unit} ${afterText(outcome)}`;
    }
  }
}

function afterText({ durationNs }: { readonly durationNs: number }): string {
  return `after ${durationNs / NS_PER_MS}ms`;
}

function endText(outcome: CompleteOutcome): string {
  if (!Number.isNaN(outcome.signal)) return `signal ${outcome.signal}`;
  return Number.isNaN(outcome.exitCode) ? "unknown" : `code ${outcome.exitCode}`;
}

/** Waits until `condition` holds, and fails after 5 s with what was waited for. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > giveUpMs) throw new Error(`waited in vain: ${what}`);
    await Bun.sleep(2);
  }
}
