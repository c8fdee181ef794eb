// The blocks of counters that the metrics page has, in its order (spec 08 section 1).
import { AGENTS } from "../agents/agent_table.ts";
import { NAMES } from "../agents/announcing.ts";
import { EXPECTED } from "../agents/expected_agents.ts";
import { AUDIT } from "../audit/counters.ts";
import type { AnyBlock } from "../base/counters.ts";
import { CONTROL } from "../control/counters.ts";
import { ACCOUNTING } from "../events/accounting.ts";
import { EXPORT } from "../export/event_export.ts";
import { FILES } from "../files/counters.ts";
import { HTTP } from "../http/counters.ts";
import { BIND, SECURE, SOCKET } from "../listener/counters.ts";
import { STREAM } from "../listener/stream_counters.ts";
import { RUBBISH } from "../listener/rubbish_watch.ts";
import { CAUSES } from "../metrics/causes.ts";
import { AGENT_ROWS } from "../metrics/agent_families.ts";
import { ROWS } from "../metrics/agent_rows.ts";
import { BUILD, METRICS, SEEN, UPTIME } from "../metrics/metrics.ts";
import { PID_ROWS } from "../metrics/pid_rows.ts";
import { CLOCK } from "../observer/clock.ts";
import { GREETINGS } from "../observer/greetings.ts";
import { IDENTITY } from "../observer/identification.ts";
import { OBSERVER, PID_MAX } from "../observer/observer_counters.ts";
import { CUT_OFF } from "../observer/cut_off.ts";
import { GUARD } from "../observer/guard_watch.ts";
import { NOTIFY } from "../observer/notify_texts.ts";
import { PAUSES } from "../observer/pause_watch.ts";
import { SELF_BEATS } from "../observer/self_beats.ts";
import { LATES } from "../observer/silence_watch.ts";
import { OWN_PROCESS } from "../processes/own_process.ts";
import { ORPHANS } from "../recovery/children/orphan_reaper.ts";
import { GIVEN_UP, RECOVERY } from "../recovery/counters.ts";
import { UNIT_QUESTIONS } from "../systemd/unit_questions.ts";
import { TRACKER } from "../tracker/counters.ts";
import { ENDS } from "./end_counters.ts";
import { CONFIG } from "./loaded_config.ts";
import { LOG } from "./log.ts";
import { TOLD_PAUSES } from "./pause_cause.ts";
import { SOCKET_FILES } from "./socket_watch.ts";
import { STATE } from "./state_counters.ts";
import { STDERR } from "./stream_writer.ts";
import { LAST_TURN } from "./tick.ts";
import { TURN } from "./turn_counters.ts";

export interface MetricGroup {
  readonly title: string;
  readonly blocks: readonly AnyBlock[];
}

/** The headings are those of docs/metrics.md. */
export const METRIC_GROUPS: readonly MetricGroup[] = [
  { title: "Per agent", blocks: [AGENT_ROWS] },
  { title: "Per process", blocks: [PID_ROWS] },
  { title: "Datagrams", blocks: [ACCOUNTING, SEEN, GREETINGS, RUBBISH, CAUSES, SECURE] },
  {
    title: "Tracker and observer",
    blocks: [
      TRACKER,
      AGENTS,
      NAMES,
      EXPECTED,
      LATES,
      IDENTITY,
      PID_MAX,
      SOCKET,
      STREAM,
      NOTIFY,
      BIND,
      SOCKET_FILES,
      CLOCK,
      PAUSES,
      TOLD_PAUSES,
      SELF_BEATS,
      GUARD,
      CUT_OFF,
      OBSERVER,
    ],
  },
  { title: "Ends of members", blocks: [ENDS, UNIT_QUESTIONS] },
  { title: "Recovery", blocks: [RECOVERY, ORPHANS, GIVEN_UP] },
  { title: "Audit, export, logs", blocks: [AUDIT, EXPORT, FILES, STATE, LOG, STDERR] },
  { title: "Control socket", blocks: [CONTROL] },
  { title: "Scrapes", blocks: [HTTP, METRICS, ROWS] },
  {
    title: "Loop, process, build",
    blocks: [TURN, UPTIME, LAST_TURN, CONFIG, BUILD, OWN_PROCESS],
  },
];

/** Those that the page of a daemon without a configuration file has not. */
export const BLOCKS_OF_FILES: readonly AnyBlock[] = [
  AGENT_ROWS,
  CONTROL,
  SEEN,
  EXPECTED,
  GREETINGS,
  NAMES,
  ENDS,
  UNIT_QUESTIONS,
  LATES,
  TOLD_PAUSES,
  GUARD,
  NOTIFY,
  CUT_OFF,
  ROWS,
  STATE,
];

export const METRIC_BLOCKS: readonly AnyBlock[] = METRIC_GROUPS.flatMap(({ blocks }) => blocks);
