// What acts, events, reloads and recoveries answered on the night of the drawings.
import type {
  ForgetAnswer,
  LogLevelAnswer,
  MuteAnswer,
  MutedAgent,
  MutesView,
  RecoverDryRun,
  RecoveryBegun,
  UnmuteAnswer,
} from "../../../src/view/act_views.ts";
import type { EventView } from "../../../src/view/event_view.ts";
import type { ReloadResult } from "../../../src/view/reload_view.ts";

export const NIGHT = "2026-11-28T02:12:46.301Z";

function mute(agent: string, state: MutedAgent["state"], until: string, by: string): MutedAgent {
  const reason = agent === "indexer" ? "deploy 4.2" : "deploy 4.3";
  const since = new Date(Date.parse(until) - 30 * 60_000).toISOString();
  return { agent, state, since, until, by, reason };
}

const WORKER_MUTE = mute("worker", "ok", "2026-11-28T02:42:46.000Z", "dana");
const INDEXER_MUTE = mute("indexer", "stalled", "2026-11-28T02:33:20.000Z", "root");

export const MUTE: MuteAnswer = { v: 1, time: NIGHT, mutes: [WORKER_MUTE] };
export const MUTES: MutesView = {
  v: 1,
  time: "2026-11-28T02:12:46.000Z",
  mutes: [WORKER_MUTE, INDEXER_MUTE],
};
export const NO_MUTES: MutesView = { v: 1, time: NIGHT, mutes: [] };
export const UNMUTE: UnmuteAnswer = {
  v: 1,
  time: NIGHT,
  unmuted: [
    {
      agent: "indexer",
      state: "stalled",
      left_ms: 1_233_699,
      recovery: 55,
      still: null,
      reported: true,
      pid: null,
    },
  ],
};
export const FORGET: ForgetAnswer = {
  v: 1,
  name: "10.0.4.20/811",
  state: "stalled",
  for_ms: 14_000,
};
export const LOG_LEVEL: LogLevelAnswer = {
  v: 1,
  level: "debug",
  until: "2026-11-28T02:24:10.000Z",
  // biome-ignore lint/suspicious/noThenProperty: a word of the answer, and no function.
  then: "info",
};

const WORKER = { agent: "worker", pid: 4711 } as const;
const RECOVERY = { kind: "recovery", ...WORKER } as const;
const RESTART = { kind: "restart_unit", target: "worker@3.service" } as const;

export const FOLLOWED: readonly EventView[] = [
  {
    time: "2026-11-28T02:12:11.114Z",
    kind: "late",
    ...WORKER,
    silence_ms: 3_000,
    threshold_ms: 5_000,
  },
  {
    time: "2026-11-28T02:12:13.115Z",
    kind: "stall",
    ...WORKER,
    silence_ms: 5_001,
    threshold_ms: 5_000,
    verdict: "hung",
  },
  {
    time: "2026-11-28T02:12:13.116Z",
    ...RECOVERY,
    recovery: { id: 51, what: "began", plan: "restart", steps: 3 },
  },
  {
    time: "2026-11-28T02:12:13.116Z",
    ...RECOVERY,
    recovery: {
      id: 51,
      what: "step",
      step: 1,
      steps: 3,
      kind: "signal",
      target: "SIGQUIT",
      result: "sent",
    },
  },
  {
    time: "2026-11-28T02:12:18.117Z",
    ...RECOVERY,
    recovery: {
      id: 51,
      what: "step",
      step: 2,
      steps: 3,
      kind: "wait",
      target: "5s",
      result: "no beat",
    },
  },
  {
    time: "2026-11-28T02:12:18.119Z",
    ...RECOVERY,
    recovery: { id: 51, what: "step", step: 3, steps: 3, ...RESTART },
  },
  {
    time: "2026-11-28T02:12:48.131Z",
    kind: "exit",
    ...WORKER,
    end: { time: "2026-11-28T02:12:48.131Z", exit_status: null, signal: 9 },
  },
  {
    time: "2026-11-28T02:12:48.871Z",
    ...RECOVERY,
    recovery: { id: 51, what: "done", step: 3, steps: 3, took_ms: 30_800 },
  },
  { time: "2026-11-28T02:12:50.230Z", kind: "gone", ...WORKER, by_pid: 8840 },
  {
    time: "2026-11-28T02:12:50.230Z",
    ...RECOVERY,
    by_pid: 8840,
    recovery: { id: 51, what: "helped", took_ms: 37_114 },
  },
];

export const PAST: readonly EventView[] = [
  {
    time: "2026-11-28T02:08:20.002Z",
    kind: "stall",
    agent: "indexer",
    pid: 6120,
    muted: true,
    verdict: "traced",
    tracer: { pid: 6188, comm: "gdb", user: "dana" },
  },
  FOLLOWED[1]!,
];

export const LOST: EventView = {
  time: "2026-11-28T02:14:00.000Z",
  kind: "lost",
  agent: "",
  count: 1204,
};

const RELOADED: ReloadResult = {
  v: 1,
  time: NIGHT,
  file: "/etc/varta/varta.toml",
  took_ms: 3,
  pause_ms: 0.4,
  applied: true,
  dry_run: false,
  changes: [
    {
      where: "agent worker",
      key: "threshold",
      how: "5s -> 2s",
      effect: "8 members, judged from 2026-11-28T02:14:04.000Z",
    },
    {
      where: "agent worker",
      key: "expect",
      how: "8 -> 10",
      effect: "missing after 2026-11-28T02:14:32.000Z",
    },
    { where: "plan restart", key: "budget", how: "3 -> 5", effect: "2 used" },
    {
      where: "listener edge",
      key: "key_file",
      how: "(secret)",
      effect: "old key accepted for 10m",
    },
  ],
  problems: [],
};

export const RELOADS: Readonly<Record<string, ReloadResult>> = {
  changes: RELOADED,
  nothing: { ...RELOADED, took_ms: 2, changes: [] },
  problems: {
    ...RELOADED,
    applied: false,
    changes: [],
    problems: [
      {
        place: "/etc/varta/varta.toml:31:13",
        text: 'agent worker: threshold: found the integer 5; want a duration such as "500ms", "5s" or "10m", at least 10ms',
        takes_restart: false,
      },
      {
        place: "/etc/varta/varta.toml:44:1",
        text: 'plan restart: found an unknown key "budjet"; did you mean "budget"?',
        takes_restart: false,
      },
    ],
  },
  restart: {
    ...RELOADED,
    applied: false,
    changes: [],
    problems: [
      {
        place: "/etc/varta/varta.toml:6:16",
        text: 'observer.clock_source: "monotonic" -> "boottime" takes a restart',
        takes_restart: true,
      },
    ],
  },
};

function gate(name: string, found: string, open = true): RecoverDryRun["gates"][number] {
  return { gate: name, open, passed_over: false, found };
}

export const DRY_RUN: RecoverDryRun = {
  v: 1,
  time: NIGHT,
  ...WORKER,
  stalled: 1,
  gates: [
    gate("not_stalled", "it is stalled: hung, silent for 38s of 5s"),
    gate("unproven_sender", "the sender is proven: attested by the kernel, start time unchanged"),
    gate("cross_namespace_agent", "the pid namespace is the observer's"),
    gate("muted", "not muted"),
    gate("verdict", "verdict hung is one that plan restart acts on"),
    gate("gave_up", "budget: 1 of 3 in 1h"),
    gate("in_flight", "a recovery of worker runs: 51, step 3 of 3, until 03:13:03", false),
  ],
  refused: "in_flight",
  steps: [
    { step: "signal", detail: "SIGQUIT" },
    { step: "wait", detail: "5s" },
    { step: "restart_unit", detail: "worker@3.service" },
  ],
};

export const BEGUN: RecoveryBegun = {
  v: 1,
  id: 56,
  agent: "worker",
  pid: 5301,
  by: "dana",
  plan: "restart",
  steps: 3,
  passed_over: [],
};

const BY_HAND = { kind: "recovery", agent: "worker", pid: 5301 } as const;
export const BY_HAND_EVENTS: readonly EventView[] = [
  {
    time: "2026-11-28T02:20:02.001Z",
    ...BY_HAND,
    recovery: {
      id: 56,
      what: "step",
      step: 1,
      steps: 3,
      kind: "signal",
      target: "SIGQUIT",
      result: "sent",
    },
  },
  {
    time: "2026-11-28T02:20:07.002Z",
    ...BY_HAND,
    recovery: {
      id: 56,
      what: "step",
      step: 2,
      steps: 3,
      kind: "wait",
      target: "5s",
      result: "no beat",
    },
  },
  {
    time: "2026-11-28T02:20:07.003Z",
    ...BY_HAND,
    recovery: { id: 56, what: "done", step: 3, steps: 3, ...RESTART, took_ms: 1_900 },
  },
  {
    time: "2026-11-28T02:20:10.310Z",
    ...BY_HAND,
    by_pid: 9011,
    recovery: { id: 56, what: "helped", took_ms: 8_300 },
  },
];
