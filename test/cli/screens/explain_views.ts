// The set-ups that `explain` is drawn for.
import type {
  DoneRow,
  ExplainedMember,
  ExplainedRuleView,
  ExplainedVerdict,
  ExplainView,
  LastBeat,
  ProofView,
  StrangerView,
  WhoView,
} from "../../../src/view/explain_view.ts";

const NIGHT = "2026-11-28T02:12:46.301Z";
const VARTA = "/etc/varta/varta.toml";

/** A time of this night, as it is drawn in CET. */
function t(clock: string): string {
  const [time = "", ms = "000"] = clock.split(".");
  const utc = Date.parse(`2026-11-28T${time}.${ms}Z`) - 3_600_000;
  return new Date(utc).toISOString();
}

const RULE: ExplainedRuleView = {
  number: 2,
  place: `${VARTA}:31`,
  match: 'unit = "worker@*.service"',
  count: 6,
  failed: [
    {
      number: 1,
      place: `${VARTA}:20`,
      field: "unit",
      found: "worker@3.service",
      wanted: ["api@*.service"],
    },
  ],
  threshold_ms: 5_000,
  late_ms: 3_000,
  grace_ms: 30_000,
  expect: 8,
  on_exit: "judge",
  plan: "restart",
  listener_place: "",
  named_by: "",
  suggestion: "",
};

const WHO: WhoView = {
  unit: "worker@3.service",
  container: "",
  user: "app",
  uid: 998,
  comm: "python3",
  script: "worker.py",
  since: "2026-11-27T21:10:14.500Z",
};

const PROOF: ProofView = {
  origin: "kernel_attested",
  listener: "local",
  proven: true,
  namespace: null,
  others_beating: null,
};

function verdict(
  word: ExplainedVerdict["verdict"],
  other: Partial<ExplainedVerdict> = {},
): ExplainedVerdict {
  return {
    verdict: word,
    proc_state: "",
    wchan: "",
    cpu_ms: null,
    cpu_over_ms: null,
    tracer: null,
    ended: null,
    end: null,
    end_source: null,
    unwatched: null,
    freezer: 0,
    replaced: null,
    pid_reused: null,
    reason: "",
    ...other,
  };
}

function beat(clock: string, number: string, from = ""): LastBeat {
  return { time: t(clock), number, status: "ok", from };
}

function member(pid: number, other: Partial<ExplainedMember>): ExplainedMember {
  return {
    pid,
    source: "",
    verdict: null,
    silence_ms: 38_187,
    last_beat: null,
    refused: [],
    who: WHO,
    proof: PROOF,
    ...other,
  };
}

/** A stalled agent with one member, at the time that makes it last as it is drawn. */
function stalled(
  agent: string,
  since: string,
  one: ExplainedMember,
  other: Partial<ExplainView> = {},
): ExplainView {
  return {
    v: 1,
    time: NIGHT,
    agent,
    state: "stalled",
    member: one.who === WHO ? { ...one, who: { ...WHO, unit: `${agent}.service` } } : one,
    since: t(since),
    muted: null,
    beating: 0,
    members: 1,
    expected: null,
    mass: null,
    done: [],
    next: [],
    rule: { ...RULE, match: `unit = "${agent}.service"`, failed: [], expect: null },
    history: [],
    others: [],
    runbook: "",
    ...other,
  };
}

function refused(clock: string, reason: string, figures: object = {}): DoneRow {
  return { what: "refused", time: t(clock), reason, ...figures };
}

function began(clock: string, id: number): DoneRow {
  return { what: "began", time: t(clock), id, plan: "restart", steps: 3 };
}

function step(clock: string, number: number, action: string, result: string) {
  return { what: "step", time: t(clock), step: number, action, result } as const;
}

const HUNG_VERDICT = verdict("hung", {
  proc_state: "S",
  wchan: "futex_wait_queue",
  cpu_ms: 0,
  cpu_over_ms: 33_186,
});

export const HUNG = stalled(
  "worker",
  "03:12:13.115",
  member(4711, {
    verdict: HUNG_VERDICT,
    last_beat: beat("03:12:08.114", "18114"),
    who: { ...WHO },
  }),
  {
    rule: RULE,
    beating: 7,
    members: 8,
    expected: 8,
    done: [
      began("03:12:13.116", 51),
      { ...step("03:12:13.116", 1, "SIGQUIT", "sent"), kind: "signal" },
      step("03:12:18.117", 2, "wait 5s", "no beat"),
      { ...step("03:12:18.119", 3, "worker@3.service", "asked systemd"), kind: "restart_unit" },
    ],
    next: [
      {
        what: "step_ends",
        time: t("03:13:03"),
        verify_ms: 10_000,
        left: 1,
        limit: 3,
        window_ms: 3_600_000,
      },
    ],
    history: [
      {
        time: t("03:12:13.115"),
        kind: "stall",
        agent: "worker",
        verdict: "hung",
        silence_ms: 5_001,
      },
      { time: t("03:12:11.114"), kind: "late", agent: "worker", silence_ms: 3_000 },
      {
        time: t("02:22:52.120"),
        kind: "resume",
        agent: "worker",
        silence_ms: 12_101,
        recovery: { id: 50, what: "helped" },
      },
      {
        time: t("02:22:45.021"),
        kind: "recovery",
        agent: "worker",
        recovery: { id: 50, what: "began", plan: "restart", steps: 3 },
      },
      {
        time: t("02:22:45.020"),
        kind: "stall",
        agent: "worker",
        verdict: "hung",
        silence_ms: 5_001,
      },
      { time: t("00:41:46.310"), kind: "gone", agent: "worker", pid: 4708, by_pid: 5120 },
      {
        time: t("00:41:40.007"),
        kind: "exit",
        agent: "worker",
        pid: 4708,
        end: { time: t("00:41:40.007"), exit_status: null, signal: 11 },
      },
    ],
    runbook: "/usr/share/doc/varta-watch/runbook.md#hung",
  },
);

export const SPINNING: ExplainView = {
  ...HUNG,
  member: {
    ...HUNG.member!,
    verdict: verdict("hung", { proc_state: "R", cpu_ms: 32_900, cpu_over_ms: 33_186 }),
  },
};

export const TRACED = stalled(
  "reports",
  "03:08:20.002",
  member(6301, {
    verdict: verdict("traced", {
      proc_state: "t",
      tracer: { pid: 6344, comm: "gdb", user: "dana" },
    }),
    last_beat: beat("03:06:20.002", "90211"),
  }),
);

export const DIED_UNWATCHED = stalled(
  "feed",
  "03:12:33.703",
  member(3301, {
    verdict: verdict("exited", {
      ended: "unknown",
      unwatched: { after: t("03:12:21.702"), before: t("03:12:28.951") },
    }),
    last_beat: beat("03:12:21.702", "1"),
  }),
  {
    done: [
      {
        what: "interrupted",
        time: t("03:12:28.953"),
        id: 51,
        took_ms: 8_000,
        why: "the daemon was killed",
      },
    ],
    history: [
      {
        time: t("03:12:28.952"),
        ...{ kind: "exit", agent: "feed", pid: 3301 },
        end: { time: t("03:12:28.952"), exit_status: null, signal: null },
        unwatched: { after: t("03:12:21.702"), before: t("03:12:28.951") },
      },
    ],
  },
);

export const KILLED = stalled(
  "feed",
  "03:12:33.703",
  member(3301, {
    verdict: verdict("exited", {
      end: { time: t("03:12:29.118"), exit_status: null, signal: 9 },
      end_source: "pidfd",
    }),
    last_beat: beat("03:12:28.702", "1"),
  }),
  {
    done: [
      began("03:12:33.703", 52),
      step("03:12:33.703", 1, "SIGQUIT", "left out, the process is gone"),
      step("03:12:33.704", 3, "restart of feed.service", "done, 41ms"),
    ],
    next: [{ what: "verified", time: t("03:12:43.745"), unit: "feed.service" }],
  },
);

export const ENDED: ExplainView = {
  ...stalled(
    "report-export",
    "02:41:10",
    member(7002, {
      verdict: verdict("exited", {
        ended: "clean",
        end: { time: t("02:41:10.219"), exit_status: 0, signal: null },
      }),
    }),
    { done: [{ what: "reported", time: t("02:41:10.220"), as: "gone" }] },
  ),
  state: "gone",
};

export const REPLACED: ExplainView = {
  ...stalled(
    "worker",
    "00:41:40",
    member(4708, {
      verdict: verdict("exited", {
        ended: "replaced",
        end: { time: t("00:41:40.007"), exit_status: null, signal: 11 },
        replaced: { pid: 5120, time: t("00:41:46.310"), left_ms: 1_300 },
      }),
    }),
    {
      done: [{ what: "reported", time: t("00:41:46.310"), as: "replaced" }],
      next: [{ what: "crash_loop", exits: 1, limit: 5, window_ms: 3_600_000 }],
    },
  ),
  state: "gone",
};

export const NOT_PROVEN = stalled(
  "queue",
  "03:12:40.100",
  member(9310, {
    verdict: verdict("exited", { pid_reused: t("03:12:31.011") }),
    last_beat: beat("03:12:31.010", "1"),
    proof: { ...PROOF, proven: false },
  }),
  { done: [refused("03:12:36.012", "unproven_sender")] },
);

export const OTHER_NAMESPACE = stalled(
  "thumbs",
  "03:12:37.300",
  member(4711, {
    verdict: verdict("hung", { proc_state: "S", wchan: "ep_poll" }),
    who: { ...WHO, container: "thumbs-1" },
    proof: {
      ...PROOF,
      namespace: { inode: 4_026_533_011, own_inode: 4_026_531_836, inner_pid: 2 },
    },
  }),
  {
    done: [refused("03:12:42.000", "cross_namespace_agent")],
    rule: { ...RULE, failed: [], match: 'user = "app"', listener_place: "varta.toml:12" },
  },
);

export const MUTED = stalled(
  "search",
  "03:08:20.003",
  member(6650, { verdict: verdict("hung", { proc_state: "S", wchan: "do_wait" }) }),
  {
    muted: {
      since: t("03:03:20"),
      until: t("03:33:20"),
      by: "root",
      reason: "deploy 4.2",
    },
    done: [{ what: "held", time: t("03:08:20.003"), reason: "muted" }],
    next: [{ what: "mute_ends", time: t("03:33:20") }],
  },
);

export const GAVE_UP: ExplainView = {
  ...stalled(
    "worker",
    "03:20:01.440",
    member(5301, {
      verdict: verdict("hung", { proc_state: "R", cpu_ms: 47_600, cpu_over_ms: 48_100 }),
    }),
    {
      done: [
        refused("03:20:01.440", "gave_up", { used: 3, limit: 3, window_ms: 3_600_000 }),
        { what: "helped", time: t("02:22:45"), id: 50, took_ms: 7_100 },
        { what: "helped", time: t("03:12:13"), id: 51, took_ms: 37_114 },
        { what: "helped", time: t("03:15:40"), id: 53, took_ms: 2_000 },
      ],
      next: [{ what: "budget", time: t("03:22:45") }],
    },
  ),
  time: t("03:20:49.540"),
};

export const STORM: ExplainView = {
  ...stalled("gateway", "04:11:09.200", member(3307, { verdict: verdict("hung") }), {
    mass: {
      agents: 21,
      within_ms: 4_000,
      load: 38.2,
      memory_used: 0.96,
      stall_ms: 9_100,
      stall_over_ms: 10_000,
    },
    done: [refused("04:11:09.201", "storm_limit", { used: 10, limit: 10, window_ms: 60_000 })],
    next: [{ what: "storm_room", time: t("04:12:02") }],
  }),
  time: t("04:11:12.300"),
};

export const NO_PLAN: ExplainView = {
  ...stalled(
    "exporter",
    "03:40:05.610",
    member(2077, {
      verdict: verdict("hung", {
        proc_state: "S",
        wchan: "pipe_read",
        cpu_ms: 0,
        cpu_over_ms: 31_000,
      }),
      who: { ...WHO, unit: "exporter.service" },
    }),
    {
      done: [{ what: "reported", time: t("03:40:05.610"), as: "stall" }],
      rule: {
        ...RULE,
        failed: [],
        match: 'unit = "exporter.service"',
        number: 4,
        place: "varta.toml:52",
        plan: "none",
      },
    },
  ),
  time: t("03:40:36.700"),
};

export const REMOTE = stalled(
  "10.0.4.20/811",
  "03:12:32.301",
  member(811, {
    source: "10.0.4.20",
    verdict: verdict("unknown"),
    last_beat: beat("03:12:27.900", "7", "10.0.4.20:41022"),
    who: { ...WHO, unit: "", user: "", uid: null, comm: "", script: "", since: null },
    proof: { ...PROOF, origin: "key_attested", listener: "edge", others_beating: 3 },
  }),
  {
    rule: { ...RULE, failed: [], match: 'listener = "edge"', expect: null },
    done: [refused("03:12:32.901", "recovery_not_accepted")],
    next: [{ what: "forgotten", after_ms: 86_400_000 }],
  },
);

export const NO_RULE: ExplainView = {
  ...stalled(
    "convert",
    "03:12:00",
    member(7719, {
      silence_ms: 240,
      who: { ...WHO, unit: "", user: "dana", uid: 1003, script: "convert.py" },
    }),
    {
      since: null,
      beating: 1,
      rule: {
        ...RULE,
        number: null,
        failed: [
          {
            number: 3,
            place: "varta.toml:44",
            field: "user",
            found: "dana",
            wanted: ["app"],
            right: 'script "convert.py"',
          },
        ],
        plan: "",
        named_by: "script",
        suggestion: 'script = "convert.py"',
      },
    },
  ),
  state: "ok",
};

export const STRANGER: StrangerView = {
  v: 1,
  time: NIGHT,
  pid: 8123,
  runs: true,
  who: { ...WHO, unit: "shop.service", comm: "node", script: "server.js" },
  agent: "shop",
  rule: { ...RULE, number: 6, place: "varta.toml:70", threshold_ms: 2_000 },
  may: { yes: true, socket: "/run/varta/varta.sock", mode: "0660", group: "varta", by: "group" },
  refused: [],
  refused_total: 0,
};

/** Of a member that is silent for longer than its threshold while the guard is active. */
export const HELD = stalled(
  "api",
  "03:12:40.100",
  member(812, { silence_ms: 6_187, last_beat: beat("03:12:40.114", "9120") }),
  {
    state: "late",
    since: null,
    beating: 5,
    members: 6,
    next: [
      {
        what: "guard_ends",
        time: t("03:12:51"),
        holds: "verdict",
        silent: 17,
        members: 31,
        window_ms: 1_000,
      },
    ],
    runbook: "/usr/share/doc/varta-watch/runbook.md#vartaguardactive",
  },
);

/** Of one that was reported before. */
export const GUARDED = stalled("exporter", "03:12:40.100", member(733, { verdict: HUNG_VERDICT }), {
  done: [{ what: "reported", time: t("03:12:40.100"), as: "stall" }],
  next: [
    {
      what: "guard_ends",
      time: t("03:12:51"),
      holds: "recovery",
      silent: 17,
      members: 31,
      window_ms: 1_000,
    },
  ],
});
