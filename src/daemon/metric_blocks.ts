// The blocks of counters that the metrics page has, in its order (spec 08 section 1).
import { AUDIT } from "../audit/counters.ts";
import type { AnyBlock } from "../base/counters.ts";
import { ACCOUNTING } from "../events/accounting.ts";
import { EXPORT } from "../export/event_export.ts";
import { FILES } from "../files/counters.ts";
import { HTTP } from "../http/counters.ts";
import { BIND, SECURE, SOCKET } from "../listener/counters.ts";
import { RUBBISH } from "../listener/rubbish_watch.ts";
import { CAUSES } from "../metrics/causes.ts";
import { BUILD, METRICS, UPTIME } from "../metrics/metrics.ts";
import { PID_ROWS } from "../metrics/pid_rows.ts";
import { CLOCK } from "../observer/clock.ts";
import { OBSERVER, PID_MAX } from "../observer/observer.ts";
import { PAUSES } from "../observer/pause_watch.ts";
import { OWN_PROCESS } from "../processes/own_process.ts";
import { ORPHANS } from "../recovery/children/orphan_reaper.ts";
import { GIVEN_UP, RECOVERY } from "../recovery/counters.ts";
import { TRACKER } from "../tracker/counters.ts";
import { LOG } from "./log.ts";
import { CONFIG } from "./loaded_config.ts";
import { SOCKET_FILES } from "./socket_watch.ts";
import { STDERR } from "./stream_writer.ts";
import { LAST_TURN, TURN } from "./tick.ts";

export const METRIC_BLOCKS: readonly AnyBlock[] = [
  PID_ROWS,
  ACCOUNTING,
  RUBBISH,
  CAUSES,
  SECURE,
  TRACKER,
  PID_MAX,
  SOCKET,
  BIND,
  SOCKET_FILES,
  CLOCK,
  PAUSES,
  OBSERVER,
  RECOVERY,
  ORPHANS,
  GIVEN_UP,
  AUDIT,
  EXPORT,
  FILES,
  LOG,
  STDERR,
  HTTP,
  METRICS,
  TURN,
  UPTIME,
  LAST_TURN,
  CONFIG,
  BUILD,
  OWN_PROCESS,
];
