// How each thing that the daemon opens is closed (spec 12 section 6). The order is that of the list
// in shutdown.ts: the reverse of the order in which they were opened.
import { HTTP_DRAIN_NS_MAX } from "../base/limits.ts";
import { msFromNs, NS_PER_MS } from "../base/time.ts";
import type { ControlServer } from "../control/control_server.ts";
import type { HttpServer } from "../http/http_server.ts";
import type { HeartbeatFile } from "./heartbeat_wiring.ts";
import type { LastSeenFile } from "./last_seen_file.ts";
import type { Notify } from "./notify.ts";
import type { Parts } from "./parts.ts";
import { type Close, type End, INTERNAL_ERROR } from "./shutdown.ts";
import type { StateKeeping } from "./state_keeping.ts";
import type { Tick } from "./tick.ts";
import { TURN_HAS_WORK_LEFT } from "./turn_flags.ts";
import type { Writers } from "./writers.ts";

const WRITERS_MS_MAX = 5_000;
const WRITERS_ABORT_MS_MAX = 500;
const LOG_MS_MAX = 500;

/** The last lines are written; the loop no longer drives the retries of the streams. */
export function closingLog(parts: Pick<Parts, "log" | "stdout" | "stderr" | "clock">): Close {
  const { log, stdout, stderr, clock } = parts;
  return (end) => {
    if (end.kind !== "failed_start") log.info("stopped", { exit_code: end.exitCode });
    return end.until(() => {
      stdout.maintain(clock.nowNs());
      stderr.maintain(clock.nowNs());
      return stdout.idle && stderr.idle;
    }, LOG_MS_MAX);
  };
}

/** The sockets close, their files go, and keys are wiped. */
export function closingListeners({ observer }: Pick<Parts, "observer">): Close {
  return () => void observer.close();
}

/** The end itself is exported, what waits is written and synced. */
export function closingWriters(writers: Writers, exportEnd: (end: End) => void): Close {
  let isExported = false;
  return (end) => {
    if (end.kind !== "failed_start" && !isExported) exportEnd(end);
    isExported = true;
    const msMax = end.kind === "abort" ? WRITERS_ABORT_MS_MAX : WRITERS_MS_MAX;
    return withinMs(writers.close(), msMax);
  };
}

/**
 * What there is at the end is kept; a start that failed, or an error of the program, leaves what
 * was there before.
 */
export function closingState(state: StateKeeping): Close {
  return ({ kind, reason }) => {
    if (kind === "failed_start" || reason === INTERNAL_ERROR) return void state.release();
    const msMax = kind === "abort" ? WRITERS_ABORT_MS_MAX : WRITERS_MS_MAX;
    return withinMs(state.close(), msMax);
  };
}

/** Children that a shutdown has asked to end are awaited; their ends are written meanwhile. */
export function closingChildren(
  parts: Pick<Parts, "recovery" | "clock">,
  writers: Pick<Writers, "maintain">,
): Close {
  const { recovery, clock } = parts;
  return (end) => {
    if (end.kind === "abort") recovery.killAllNow(clock.nowNs());
    if (end.kind !== "shutdown") return undefined;
    return end.until(() => {
      const nowNs = clock.nowNs();
      recovery.reap(nowNs);
      writers.maintain(nowNs);
      return recovery.shutdownDone(nowNs);
    }, Number.POSITIVE_INFINITY);
  };
}

/**
 * No connection is taken any more, and a socket file goes; answers that are under way get a moment.
 */
export function closingServer(
  server: () =>
    | Pick<HttpServer | ControlServer, "beginClose" | "serveSlice" | "closed">
    | undefined,
): Close {
  return (end) => {
    const open = server();
    if (open === undefined) return undefined;
    open.beginClose();
    if (end.kind === "abort") return undefined;
    return end.until(() => {
      open.serveSlice(NS_PER_MS);
      return open.closed;
    }, msFromNs(HTTP_DRAIN_NS_MAX));
  };
}

/** No temporary file of it stays behind. */
export function closingHeartbeat(file: HeartbeatFile): Close {
  return ({ kind }) => withinMs(file.close(), kind === "abort" ? 0 : LOG_MS_MAX);
}

/** What a command says of a daemon that is down. */
export function closingLastSeen(file: LastSeenFile): Close {
  return ({ kind }) => (kind === "shutdown" ? withinMs(file.close(), LOG_MS_MAX) : undefined);
}

/** Turns in which connections are read out: a tenth of a second. */
const LAST_TURNS_MAX = 20;

// What a connection holds ends with it, and its client was told that it was sent.
function takeLast(tick: Tick, { listeners, listenersInForce }: Parts["observer"]): void {
  let hasConnections = false;
  for (const number of listenersInForce) {
    const listener = listeners[number]!;
    if (listener.beginEnd === undefined) continue;
    listener.beginEnd();
    hasConnections = true;
  }
  for (let turn = 0; hasConnections && turn < LAST_TURNS_MAX; turn++)
    hasConnections = (tick.run() & TURN_HAS_WORK_LEFT) !== 0;
}

/** No turn comes any more: what waits is exported and logged, and no recovery is decided. */
export function closingTurns(
  tick: Tick,
  parts: Pick<Parts, "observer" | "refusals" | "recovery" | "clock" | "feed">,
): Close {
  const { observer, refusals, recovery, clock, feed } = parts;
  return ({ kind, reason }) => {
    if (kind !== "shutdown") return;
    takeLast(tick, observer);
    tick.exportQueuedStalls();
    refusals.flush(clock.nowNs());
    recovery.beginShutdown(clock.nowNs());
    // Before the servers close: who follows the events hears of it.
    feed.stopping(reason, clock.nowNs());
  };
}

export function closingNotify(notify: Notify): Close {
  return ({ kind }) => {
    if (kind !== "failed_start") notify.stopping();
  };
}

async function withinMs(work: Promise<unknown>, msMax: number): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = setTimeout(limit.resolve, msMax);
  await Promise.race([work.catch(() => {}), limit.promise]);
  clearTimeout(timer);
}
