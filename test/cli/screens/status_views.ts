// The nights that the screens of `status` are drawn from.
import { AGENT_STATES, type AgentState } from "../../../src/agents/agent_state.ts";
import type {
  AgentStatusView,
  LastStall,
  MembersView,
  MemberStatusView,
  ObserverGuard,
  MuteView,
  ObserverStatus,
  StatusView,
} from "../../../src/view/status_view.ts";

export const NIGHT = "2026-11-28T02:12:46.301Z";
const EVENING = "2026-11-28T02:10:00.000Z";
const LATER = "2026-11-28T02:10:12.000Z";
const GUARDED = "2026-11-28T03:02:08.000Z";
const AFTER_PAUSE = "2026-11-28T00:13:09.000Z";
const AFTERNOON = "2026-11-28T13:02:10.000Z";

type Figures = Partial<AgentStatusView> & { readonly agent: string };

export function agentOf(
  state: AgentState,
  members: number,
  silence_ms: number | null,
  threshold_ms: number,
  beats_per_s: number,
  other: Figures,
): AgentStatusView {
  return {
    state,
    muted: null,
    beating: members,
    members,
    expected: members,
    silence_ms,
    threshold_ms,
    late_ms: null,
    beats_per_s,
    last_stall: null,
    recovery: null,
    stalls: 0,
    recoveries: 0,
    missing_since: null,
    grace_left_ms: null,
    status_since: null,
    ...other,
  };
}

function ok(agent: string, members: number, silence: number, threshold: number, rate: number) {
  return agentOf("ok", members, silence, threshold, rate, { agent });
}

function stall(verdict: LastStall["verdict"], time: string, pid = 1): LastStall {
  return { verdict, time, pid };
}

function mute(until: string, reason: string, since = "2026-11-28T02:03:20.000Z"): MuteView {
  return { since, until, by: "root", reason };
}

const API = {
  ...ok("api", 6, 310, 1_000, 60.1),
  last_stall: stall("exited", "2026-11-27T16:45:00.000Z"),
  stalls: 1,
  recoveries: 1,
};
const AUTH = ok("auth", 3, 220, 1_000, 30);
const GATEWAY = ok("gateway", 8, 90, 500, 160);
const IMAGES = {
  ...ok("image-resize", 6, 1_900, 15_000, 2.9),
  last_stall: stall("blocked", "2026-11-27T06:45:00.000Z"),
};
const WORKER_OK = {
  ...ok("worker", 8, 870, 5_000, 8),
  last_stall: stall("hung", "2026-11-27T23:50:00.000Z"),
};
const WORKER = agentOf("stalled", 8, 38_211, 5_000, 7, {
  agent: "worker",
  beating: 7,
  late_ms: 3_000,
  last_stall: stall("hung", "2026-11-28T02:12:13.115Z", 4711),
  recovery: { id: 51, state: "running", step: 3, steps: 3 },
  stalls: 2,
  recoveries: 2,
});
const BILLING = agentOf("late", 2, 3_600, 5_000, 1.2, { agent: "billing" });
const CRON = agentOf("missing", 0, null, 60_000, 0, {
  agent: "cron",
  expected: 1,
  missing_since: "2026-11-28T01:58:40.005Z",
});
const INDEXER = agentOf("stalled", 1, 271_400, 5_000, 0, {
  agent: "indexer",
  beating: 0,
  expected: null,
  muted: mute("2026-11-28T02:33:20.000Z", "deploy"),
  last_stall: stall("traced", "2026-11-28T02:08:20.002Z"),
  stalls: 1,
});
const LEDGER = {
  ...ok("ledger", 2, 400, 2_000, 4),
  muted: mute("2026-11-28T03:00:00.000Z", "restore"),
};

export function statusOf(
  time: string,
  agents: readonly AgentStatusView[],
  observer: Partial<ObserverStatus> = {},
): StatusView {
  const counts = Object.fromEntries(
    AGENT_STATES.map((state) => [state, agents.filter((agent) => agent.state === state).length]),
  ) as Record<AgentState, number>;
  return {
    v: 1,
    host: "mill-2",
    time,
    observer: { state: "ok", up_s: 328_235, paused_last: null, guard: false, ...observer },
    counts: { ...counts, muted: agents.filter(({ muted }) => muted !== null).length },
    agents,
  };
}

const WELL = [API, AUTH, GATEWAY, IMAGES, WORKER_OK];

export const ALL_WELL = statusOf(EVENING, [WORKER_OK, IMAGES, API, GATEWAY, AUTH]);
export const ONE_STALLED = statusOf(NIGHT, [API, WORKER, AUTH, GATEWAY, IMAGES]);
export const ONE_LATE = statusOf(LATER, [BILLING, API, AUTH, GATEWAY, WORKER_OK]);
export const ONE_MISSING = statusOf(NIGHT, [API, AUTH, GATEWAY, WORKER_OK, CRON]);
export const MUTED = statusOf(NIGHT, [API, AUTH, GATEWAY, LEDGER, INDEXER]);
export const PAUSED = statusOf(AFTER_PAUSE, WELL, {
  paused_last: {
    time: "2026-11-28T00:13:04.310Z",
    length_ms: 2_100,
    cause: "the machine was stopped",
  },
});
export const ASLEEP = statusOf(AFTER_PAUSE, WELL, {
  paused_in_minute_ms: 8_100,
  paused_last: {
    time: "2026-11-27T23:13:04.310Z",
    length_ms: 3_600_000,
    cause: "the machine was suspended",
    is_silence: true,
  },
});
export const GUARD = statusOf(
  GUARDED,
  [
    agentOf("late", 6, 6_200, 1_000, 0, { agent: "api", beating: 0 }),
    agentOf("late", 3, 6_100, 1_000, 0, { agent: "auth", beating: 0 }),
    agentOf("late", 8, 6_200, 500, 0, { agent: "gateway", beating: 0 }),
    ok("image-resize", 6, 6_400, 15_000, 0),
    ok("worker", 8, 4_900, 5_000, 0),
  ],
  {
    state: "guard",
    guard: {
      since: "2026-11-28T03:02:06.000Z",
      silent: 17,
      members: 31,
      window_ms: 1_000,
      until: "2026-11-28T03:02:11.000Z",
    },
  },
);

/** The same, and something was seen that speaks for the observer's own fault. */
export const GUARD_EVIDENCE: StatusView = {
  ...GUARD,
  observer: {
    ...GUARD.observer,
    guard: { ...(GUARD.observer.guard as ObserverGuard), evidence: "queue_full" },
  },
};

export const UNHEARD = statusOf(AFTERNOON, [ok("worker", 8, 870, 5_000, 0)], {
  self_beat: { state: "missing", took_ms: 0.084 },
});
export const SLOWLY_HEARD = statusOf(AFTERNOON, [ok("worker", 8, 870, 5_000, 0)], {
  self_beat: { state: "ok", took_ms: 412.5 },
});

const WHO_MAY = {
  path: "/run/varta/varta.sock",
  mode: "0660",
  owner: "root",
  group: "varta",
};
export const NO_AGENT = statusOf(AFTERNOON, [], { up_s: 192, refused: null, who_may: WHO_MAY });
export const BEATS_REFUSED = statusOf(AFTERNOON, [], {
  up_s: 192,
  refused: {
    count: 30,
    reason: "pid",
    listener: "local",
    claimed_pid: 2,
    pid: 4711,
    in_container: true,
  },
});

export const LONG_NAME = statusOf(NIGHT, [
  agentOf("stalled", 1, 8_100, 5_000, 0, {
    agent: "checkout-eu-west-1-blue",
    beating: 0,
    recovery: { id: 9, state: "gave_up", step: 1, steps: 1 },
  }),
]);

const FORTY_OK: readonly AgentStatusView[] = [
  API,
  ok("api-admin", 2, 550, 2_000, 4),
  AUTH,
  ok("cache-warmer", 1, 2_400, 10_000, 0.3),
  ok("exporter", 1, 800, 5_000, 1),
  ok("feed", 4, 700, 5_000, 4),
  GATEWAY,
  IMAGES,
  ok("ingest", 4, 110, 1_000, 40),
  LEDGER,
  ok("mailer", 2, 1_200, 10_000, 0.4),
  ok("metrics-relay", 1, 600, 5_000, 1),
  ok("notifier", 2, 330, 5_000, 2),
  ...Array.from({ length: 20 }, (_, at) =>
    ok(`shard-${String(at).padStart(2, "0")}`, at < 1 ? 4 : 3, 500, 5_000, 3),
  ),
];
export const FORTY = statusOf(NIGHT, [
  ...FORTY_OK,
  agentOf("new", 1, 200, 5_000, 5, { agent: "search-canary", grace_left_ms: 12_400 }),
  INDEXER,
  agentOf("degraded", 1, 12_000, 60_000, 0.1, { agent: "etl-nightly" }),
  BILLING,
  agentOf("critical", 4, 410, 2_000, 8, {
    agent: "payments",
    status_since: "2026-11-28T02:12:06.000Z",
  }),
  CRON,
  WORKER,
]);
export const PLAIN = statusOf(NIGHT, [API, INDEXER, CRON, { ...WORKER, members: 8 }]);

function member(
  pid: number,
  silence_ms: number,
  beats: number,
  age_ms: number,
  unit: string,
  state: MemberStatusView["state"] = "ok",
): MemberStatusView {
  const instance = `worker@${unit}.service`;
  return {
    pid,
    source: null,
    state,
    silence_ms,
    threshold_ms: 5_000,
    status: "ok",
    beats,
    age_ms,
    unit: instance,
  };
}

const H = 3_600_000;
const M = 60_000;
export const WORKER_MEMBERS: MembersView = {
  v: 1,
  host: "mill-2",
  time: NIGHT,
  agent: WORKER,
  plan: "restart",
  stalls_24h: 2,
  recoveries_24h: 2,
  members: [
    member(4702, 410, 42_010, 11 * H + 40 * M, "1"),
    member(4705, 220, 42_010, 11 * H + 40 * M, "2"),
    member(4711, 38_187, 18_114, 5 * H + 2 * M, "3", "stalled"),
    member(5120, 870, 9_058, 2 * H + 31 * M, "4"),
    member(4719, 90, 42_010, 11 * H + 40 * M, "5"),
    member(4730, 710, 42_010, 11 * H + 40 * M, "8"),
    member(4722, 630, 42_010, 11 * H + 40 * M, "6"),
    member(4726, 350, 42_010, 11 * H + 40 * M, "7"),
  ],
};
