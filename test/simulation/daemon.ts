// The daemon of one life: the real turn with the real observer, tracker, recovery and metrics,
// wired as the real daemon wires them, over simulated sockets, processes, children and time.
import { NO_PLAN } from "../../src/agents/rules.ts";
import type { AgentRule } from "../../src/config/config.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { Rematch } from "../../src/daemon/reload/rematch.ts";
import { policyOf, ruleFinder, takenNames } from "../../src/daemon/member_rules.ts";
import { Tick } from "../../src/daemon/tick.ts";
import { RubbishWatch } from "../../src/listener/rubbish_watch.ts";
import { AgentRows } from "../../src/metrics/agent_rows.ts";
import type { Metrics } from "../../src/metrics/metrics.ts";
import type { ObserverClock } from "../../src/observer/clock.ts";
import type { Guard } from "../../src/observer/guard.ts";
import { HeardSelfBeats } from "../../src/observer/self_beat.ts";
import type { Identification } from "../../src/observer/identification.ts";
import type { Observer } from "../../src/observer/observer.ts";
import { STALL_VERDICTS } from "../../src/events/stall_verdict.ts";
import type { Recovery } from "../../src/recovery/recovery.ts";
import { AgentTotals } from "../../src/view/agent_totals.ts";
import { NOBODY_EXPECTED } from "../metrics/fixture.ts";
import { AgentLedger } from "./agent_ledger.ts";
import { SimulatedRunner } from "./children.ts";
import { SimulatedHost } from "./host.ts";
import { SHARED, SimulatedIdentities } from "./identities.ts";
import type { CountingReader } from "./process_table.ts";
import { Promises } from "./promises.ts";
import { makeEventLines } from "./export_lines.ts";
import { Recorder } from "./recorder.ts";
import type { Scenario, ScenarioRule } from "./scenario.ts";
import type { Seams } from "./seams.ts";
import { SelfBeatWorld } from "./self_beat_world.ts";
import { SimulatedListener } from "./simulated_listener.ts";
import { factsText, LISTED_UNITS } from "./units.ts";
import type { World } from "./world.ts";

/** In some lives there are more names than rows, and the others share the rows of "other". */
const AGENT_ROWS_FEW = 12;
const AGENT_ROWS_MANY = 4_096;

export interface Daemon {
  readonly clock: ObserverClock;
  readonly observer: Observer;
  readonly identification: Identification;
  readonly recovery: Recovery;
  readonly metrics: Metrics;
  readonly tick: Tick;
  readonly reader: CountingReader;
  readonly runner: SimulatedRunner;
  readonly recorder: Recorder;
  readonly promises: Promises;
  readonly selfBeats: SelfBeatWorld;
  /** Undefined = it has none. */
  readonly guard: Guard | undefined;
  /** Terms of the rule and sizes have changed: as the swap of a reload does it. */
  reload(): void;
}

export function makeDaemon(world: World, seams: Seams): Daemon {
  const { scenario, links, processes } = world;
  const { thresholdNs, allowCrossNamespace, capacity, judgeLimit } = scenario;
  const listenerNames = links.map(({ options }) => options.name);
  const clock = seams.clock(world.clock);
  const selfBeats = new SelfBeatWorld(world);
  const heard = new HeardSelfBeats(selfBeats.beats, clock);
  const guard = scenario.guard && seams.guard(scenario.guard, heard);
  const promises = new Promises({
    thresholdNs,
    judgeLimit,
    processes,
    deafNsSince: (lastNs) => observer.tracker.pauses.sinceNs(lastNs),
    rule: scenario.rule,
    guard,
    excusedNs: (lastNs, ownNs) => observer.tracker.pauses.excusedNs(lastNs, ownNs),
    owesNoBeats: (pid) => {
      const slot = observer.tracker.slotOf(pid);
      return slot >= 0 && observer.tracker.slots.owesNoBeats(slot);
    },
    agentName: (number) => observer.tracker.table.agents.nameOf(number),
    listenerNames,
  });
  const recorder = new Recorder(promises, makeEventLines(listenerNames, seams));
  const reader = processes.reader();
  const observer = seams.observer({
    selfBeats: selfBeats.beats,
    guard,
    thresholdNs,
    clock,
    processes: seams.processes(reader),
    observerInode: scenario.observerInode,
    readPidMax: scenario.readsPidMax ? () => world.pidMax : undefined,
    trackerCapacity: capacity,
    room: scenario.room,
    evictionPolicy: scenario.evictionPolicy,
    evictionScanWindow: scenario.evictionScanWindow,
    admission: {
      perPidRate: scenario.perPidRate,
      globalRate: scenario.globalRate,
      globalBurst: scenario.globalBurst,
    },
    allowCrossNamespace,
    judgeLimit,
    pauseGapNs: scenario.pauseGapNs,
  });
  const ledger = new AgentLedger(observer);
  recorder.ledger = ledger;
  const nowGeneration = () => world.generationAt(world.clock.trueNs);
  for (const link of links) {
    const listener = new SimulatedListener(link, world.clock, nowGeneration);
    observer.addListener(seams.listener(listener));
  }
  const rows = new AgentRows({
    agents: observer.tracker.table.agents,
    rowsMax: scenario.perPidRate > 0 ? AGENT_ROWS_FEW : AGENT_ROWS_MANY,
    kept: [],
    expected: NOBODY_EXPECTED,
    nowNs: () => clock.lastNs,
  });
  observer.tracker.table.agentBeats = rows;
  const totals = new AgentTotals(observer.tracker, rows);
  const metrics = seams.metrics({
    blocks: METRIC_BLOCKS,
    capacity,
    room: scenario.room,
    listeners: links.map(({ options }) => ({ name: options.name, kind: options.kind })),
    accounting: observer.accounting,
    perPid: true,
    agents: { rows, totals, recovers: scenario.recovers },
    build: { version: "0", revision: "simulation", runtime: "simulated", target: "none" },
  });
  metrics.show(observer.silence.counters);
  metrics.show(observer.greetings.counters);
  const runner = new SimulatedRunner(
    world.random,
    () => world.trueNs,
    thresholdNs / 2,
    (unit) => factsText(processes, unit),
  );
  const { rule } = scenario;
  const config = recoveryConfig(world);
  const agents = rule === undefined ? [] : [configRule(rule)];
  const plans = rule?.debounceNs === undefined ? [] : [planOf(config, rule.debounceNs)];
  const live = { current: { agents }, sinceNs: Number.NEGATIVE_INFINITY };
  const recovery = seams.recovery({
    config,
    plans,
    policyOf: (stall) => policyOf(stall, live, observer.tracker),
    allowCrossNamespace,
    listenerNames,
    runner: {
      spawn(argv, env, exited) {
        const result = runner.spawn(argv, env, exited);
        promises.onSpawn(runner.spawnsAsked.at(-1)!);
        return result;
      },
      signalGroup: (childPid, signal) => runner.signalGroup(childPid, signal),
    },
    host: new SimulatedHost(processes),
    freshness: (pid, generation) => observer.stallFreshness(pid, generation),
    outcomes: (outcome) => {
      recorder.onOutcome(outcome);
      metrics.onOutcome(outcome);
      ledger.outcome(outcome);
    },
    capacity,
    observerNamespaceInode: observer.observerInode,
    unixMsAtStart: () => world.wallOffsetNs / 1e6,
    daemonEnv: {},
  });
  const identification = seams.identification({
    tracker: observer.tracker,
    reader: new SimulatedIdentities(processes, nowGeneration),
    listenerNames,
    findRule: ruleFinder(agents),
    keepsFacts: true,
    named: (agent, facts) => rows.named(agent, facts),
    monotonicNs: () => world.trueNs,
  });
  const tick = new Tick({
    observer,
    metrics,
    recovery,
    identification,
    exporter: recorder,
    reports: recorder,
    refusals: { look: () => false },
    rubbish: new RubbishWatch({
      listeners: observer.listeners,
      thresholdNs,
      accounting: observer.accounting,
      reports: recorder,
    }),
    wallOffsetNs: () => world.wallOffsetNs,
    monotonicNs: () => world.trueNs,
  });
  return {
    clock,
    observer,
    identification,
    recovery,
    metrics,
    tick,
    reader,
    runner,
    recorder,
    promises,
    selfBeats,
    guard,
    reload() {
      const rules = [configRule(scenario.rule!)];
      const findRule = ruleFinder(rules);
      const monotonicNs = () => world.trueNs;
      const rematch = new Rematch({
        tracker: observer.tracker,
        findRule,
        taken: takenNames(rules),
        thresholdNs,
        monotonicNs,
      });
      rematch.advance(Number.POSITIVE_INFINITY);
      identification.changeRules(findRule);
      rematch.swap(clock.lastNs, (agent, facts) => identification.renamed(agent, facts));
      promises.reloaded(clock.lastNs);
      observer.tracker.eviction.change(scenario);
      for (const table of [observer.tracker.table, recovery.outstanding, metrics])
        table.resize(scenario.capacity);
    },
  };
}

/** As a file would have it. */
function configRule(rule: ScenarioRule): AgentRule {
  const { thresholdNs, lateNs, graceNs, debounceNs } = rule;
  return {
    match: { comm: [SHARED] },
    name: undefined,
    announce: false,
    thresholdNs,
    thresholdMinNs: undefined,
    thresholdMaxNs: undefined,
    lateNs: lateNs === Number.POSITIVE_INFINITY ? undefined : lateNs,
    graceNs,
    onExit: "silence",
    cleanExit: [],
    expect: undefined,
    recovery: debounceNs === undefined ? NO_PLAN : PLAN_NAME,
  };
}

const PLAN_NAME = "patient";

function planOf(config: ReturnType<typeof recoveryConfig>, debounceNs: number) {
  return { ...config, name: PLAN_NAME, debounceNs };
}

const RESTART = { kind: "restart_unit", unit: "auto" } as const;

function commandOf({ commandNamesPid }: Scenario): string[] {
  return ["/bin/recover", "{generation}", ...(commandNamesPid ? ["{pid}"] : [])];
}

function recoveryConfig({ scenario }: World) {
  return {
    command: scenario.recovers && !scenario.restartsUnit ? commandOf(scenario) : undefined,
    commandSource: "inline",
    appendPid: false,
    debounceNs: scenario.debounceNs,
    env: {},
    inheritEnv: false,
    timeoutNs: scenario.timeoutNs,
    killGraceNs: scenario.killGraceNs,
    capture: false,
    captureBytes: 4_096,
    shutdownGraceNs: 4 * scenario.thresholdNs,
    steps: scenario.recovers && scenario.restartsUnit ? [RESTART] : [],
    restartUnits: LISTED_UNITS,
    cwd: undefined,
    umask: undefined,
    backoffMaxNs: undefined,
    backoffResetNs: 600e9,
    budget: undefined,
    budgetWindowNs: 3_600e9,
    paceBy: "process" as const,
    stormLimit: 0,
    stormWindowNs: 60e9,
    verifyWithinNs: undefined,
    retry: false,
    dryRun: false,
    when: STALL_VERDICTS,
  };
}
