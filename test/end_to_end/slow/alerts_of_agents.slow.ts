// The alert rules about agents, with what Prometheus got of a real daemon (recording/record.ts
// makes the recordings anew): each fires for its situation, names the agent, ends with it, and none
// fires when there is nothing to tell.
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FAMILIES } from "../../support/metric_families.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import {
  familiesOfRules,
  RECORDINGS,
  RULES,
  recording,
} from "../../packaging/recording/recordings.ts";
import { SCENARIOS } from "../../packaging/recording/scenarios.ts";

setDefaultTimeout(TEST_MS_MAX);

/** Alert and agent, at a time after a mark of the recording. */
interface Moment {
  readonly mark: string;
  /** Scrapes, which are seconds, after it. */
  readonly plus: number;
  /** `ALERT AGENT`, or the alert alone. */
  readonly firing: readonly string[];
}

interface Expected {
  readonly recorded: string;
  readonly what: string;
  readonly moments: readonly Moment[];
  /** The daemon cannot mute an agent yet: the flag that it always shows is set. */
  readonly isMuted?: boolean;
}

const MINUTES = 60;
const SOON = 2 * MINUTES;

const CASES: readonly Expected[] = [
  {
    recorded: "recovered",
    what: "a stall that its recovery ends is a warning, and over in a minute",
    moments: [
      { mark: "stalled", plus: -1, firing: [] },
      { mark: "back", plus: 2, firing: ["AgentStalled worker"] },
      { mark: "back", plus: 75, firing: [] },
      { mark: "back", plus: 20 * MINUTES, firing: [] },
    ],
  },
  {
    recorded: "not_recovered",
    what: "a stall that nothing is done about, or whose recovery fails, is critical",
    moments: [
      { mark: "stalled", plus: -1, firing: [] },
      {
        mark: "stalled",
        plus: 2,
        firing: [
          "AgentNotRecovered broken",
          "AgentNotRecovered exporter",
          "AgentStalled broken",
          "AgentStalled exporter",
        ],
      },
      { mark: "back", plus: 75, firing: ["AgentNotRecovered broken"] },
      { mark: "back", plus: 11 * MINUTES, firing: [] },
    ],
  },
  {
    recorded: "not_recovered",
    what: "a muted agent fires nothing",
    isMuted: true,
    moments: [
      { mark: "stalled", plus: 2, firing: [] },
      { mark: "back", plus: 75, firing: [] },
    ],
  },
  {
    recorded: "gave_up",
    what: "an agent whose budget is used up is given up, and stays so while it is stalled",
    moments: [
      { mark: "stalled", plus: 2, firing: ["AgentStalled worker"] },
      { mark: "stalled again", plus: 2, firing: ["AgentGaveUp worker", "AgentStalled worker"] },
      {
        mark: "stalled again",
        plus: 20 * MINUTES,
        firing: ["AgentGaveUp worker", "AgentNotRecovered worker", "AgentStalled worker"],
      },
    ],
  },
  {
    recorded: "ended_well",
    what: "a clean end and one that was replaced fire nothing",
    moments: [
      { mark: "clean", plus: 2, firing: [] },
      { mark: "replaced", plus: 2, firing: [] },
      { mark: "replaced", plus: 8, firing: [] },
    ],
  },
  {
    recorded: "crashed",
    what: "a crash that nothing replaces is a stall, also when the process has left the page",
    moments: [
      { mark: "stalled", plus: 2, firing: ["AgentNotRecovered pool", "AgentStalled pool"] },
      { mark: "stalled", plus: 11 * MINUTES, firing: [] },
    ],
  },
  {
    recorded: "crash_loop",
    what: "the fifth crash in an hour is a loop, and the fourth is none",
    moments: [
      { mark: "crash 4", plus: 2, firing: [] },
      { mark: "crash 5", plus: 2, firing: ["AgentCrashLoop pool"] },
      { mark: "crash 5", plus: 50 * MINUTES, firing: ["AgentCrashLoop pool"] },
      { mark: "crash 5", plus: 61 * MINUTES, firing: [] },
    ],
  },
  {
    recorded: "missing",
    what: "one of three that are expected is missing, though a fourth has come, until it is there again",
    moments: [
      { mark: "gone", plus: 2, firing: [] },
      { mark: "missing", plus: 2, firing: ["AgentMissing mailer"] },
      { mark: "complete", plus: 2, firing: [] },
    ],
  },
  {
    recorded: "late",
    what: "one that is late again and again is told, and one that was late once is not",
    moments: [
      { mark: "late", plus: 3, firing: [] },
      { mark: "in time", plus: -1, firing: [] },
      { mark: "in time", plus: 70, firing: ["AgentLate slow"] },
      { mark: "in time", plus: 6 * MINUTES, firing: [] },
    ],
  },
  {
    recorded: "storm",
    what: "more stalls than may be recovered are a storm",
    moments: [
      { mark: "stalled", plus: -1, firing: [] },
      {
        mark: "stalled",
        plus: 2,
        firing: ["AgentStalled worker", "RecoveryStorm", "VartaRecoveryRefused"],
      },
    ],
  },
  {
    recorded: "unreachable",
    what: "a daemon that is reached again tells of its agents half a minute later, if they still hang",
    moments: [
      { mark: "stalled", plus: 2, firing: ["AgentNotRecovered exporter", "AgentStalled exporter"] },
      { mark: "unreachable", plus: 5, firing: [] },
      { mark: "unreachable", plus: 65, firing: ["VartaWatchDown"] },
      { mark: "reachable", plus: 2, firing: [] },
      { mark: "reachable", plus: 25, firing: [] },
      {
        mark: "reachable",
        plus: 40,
        firing: ["AgentNotRecovered exporter", "AgentStalled exporter"],
      },
    ],
  },
  {
    recorded: "restarted",
    what: "a daemon that is down and up again is one alert, and none of its agents",
    moments: [
      { mark: "down", plus: 2, firing: [] },
      { mark: "down", plus: 65, firing: ["VartaWatchDown"] },
      { mark: "up", plus: 3, firing: [] },
      { mark: "up", plus: 60, firing: [] },
    ],
  },
];

const hasPromtool = Bun.which("promtool") !== null;

for (const { recorded, what, moments, isMuted = false } of CASES) {
  test.skipIf(!hasPromtool)(`promtool, ${recorded}: ${what}`, () => {
    const { marks, series } = recording(recorded);
    const at = ({ mark, plus }: Moment): number => marks[mark]! + plus;
    const last = Math.max(...moments.map(at));
    const input_series = Object.entries(series).map(([name, values]) => ({
      series: name,
      values: held(isMuted && name.startsWith("varta_agent_muted{") ? ones(values) : values, last),
    }));
    // Long after it happened, no second matters.
    const isSoon = ({ plus }: Moment): boolean => plus < SOON;
    const soon = moments.filter(isSoon);
    const later = moments.filter((moment) => !isSoon(moment));
    for (const [interval, some] of [["1s", soon] as const, ["30s", later] as const]) {
      if (some.length === 0) continue;
      const promql_expr_test = some.map((moment) => ({
        expr: 'count by (alertname, agent) (ALERTS{alertstate="firing"})',
        eval_time: `${at(moment)}s`,
        exp_samples: moment.firing.map((each) => ({ labels: labelsOf(each), value: 1 })),
      }));
      const tests = [{ interval: "1s", input_series, promql_expr_test }];
      expect(promtool(tests, interval)).toContain("SUCCESS");
    }
  });
}

test("there is a recording of each scenario, and a case for each recording", () => {
  const names = Object.keys(SCENARIOS).sort();
  expect(readdirSync(RECORDINGS).sort()).toEqual(names.map((name) => `${name}.json`));
  expect([...new Set(CASES.map((each) => each.recorded))].sort()).toEqual(names);
});

test("what was recorded is on the page as it is today, and the rules look at it", () => {
  const today = new Set(FAMILIES.map(({ name }) => name));
  const needed = familiesOfRules();
  for (const name of Object.keys(SCENARIOS)) {
    for (const series of Object.keys(recording(name).series)) {
      const family = series.split("{")[0]!;
      if (family === "up") continue;
      expect([name, family, needed.has(family)]).toEqual([name, family, true]);
      const base = family.replace(/_(bucket|count|sum)$/, "");
      expect([name, family, today.has(family) || today.has(base)]).toEqual([name, family, true]);
    }
  }
});

/** What was there in the end goes on until second `last`, as when nothing more happens. */
function held(values: string, last: number): string {
  const end = values.split(" ").at(-1)!.split("x")[0]!;
  return end === "stale" || end === "_" ? values : `${values} ${end}x${last + MINUTES}`;
}

function ones(values: string): string {
  return values.replace(/(?<= |^)[0-9]+/g, "1");
}

function labelsOf(firing: string): string {
  const [alert, agent] = firing.split(" ");
  return agent === undefined
    ? `{alertname="${alert}"}`
    : `{alertname="${alert}", agent="${agent}"}`;
}

/** What it says of the tests. */
function promtool(tests: readonly object[], interval: string): string {
  const directory = mkdtempSync(join(tmpdir(), "varta-alerts-"));
  try {
    const file = join(directory, "tests.yml");
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({ rule_files: [RULES], evaluation_interval: interval, tests }),
    );
    const { stdout, stderr } = Bun.spawnSync(["promtool", "test", "rules", file]);
    return `${stdout}${stderr}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
