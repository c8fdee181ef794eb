// Wires the reload to the parts of the daemon.
import type { Config } from "../../config/config.ts";
import type { Asker } from "../../events/act.ts";
import type { EventExport } from "../../export/event_export.ts";
import type { ReloadResult } from "../../view/reload_view.ts";
import type { Acts } from "../acts.ts";
import type { HeartbeatFile } from "../heartbeat_wiring.ts";
import type { LastGood } from "../last_good.ts";
import { keepLastGood } from "../last_good_wiring.ts";
import { exportReload } from "../run_events.ts";
import { countReload } from "../loaded_config.ts";
import { monotonicNs } from "../monotonic.ts";
import { NO_DOORS, type PreparedDoors, prepareAll } from "../door_change.ts";
import { prepareListeners } from "../listener_doors.ts";
import { NO_STATE } from "../../recovery/fired_notes.ts";
import type { Notify } from "../notify.ts";
import type { Parts } from "../parts.ts";
import type { Writers } from "../writers.ts";
import type { Servers } from "../servers.ts";
import type { SocketWatch } from "../socket_watch.ts";
import { NextReader, type StartedWith } from "./next_reader.ts";
import { Reloader } from "./reloader.ts";
import { memberCounts } from "./rematch.ts";
import { Swap } from "./swap.ts";
import { prepareTracker } from "./tracker_change.ts";

/** A reload over the control socket: an act, noted with what came of it. */
export function askedReload(
  reloader: Pick<Reloader, "request" | "tryOut">,
  acts: Pick<Acts, "reloaded">,
  isDry: boolean,
  by: Asker,
): Promise<ReloadResult> {
  const { promise, resolve } = Promise.withResolvers<ReloadResult>();
  if (isDry) reloader.tryOut(resolve);
  else
    reloader.request((result) => {
      acts.reloaded(result, by);
      resolve(result);
    });
  return promise;
}

interface WiringOptions {
  readonly parts: Parts;
  readonly servers: Servers;
  readonly again: ReadAgain | undefined;
  readonly lastGood: LastGood | undefined;
  readonly exporter: () => EventExport | undefined;
  /** Asked when they are needed: they are opened after the handlers stand. */
  readonly notify: () => Notify | undefined;
  readonly socketWatch: () => SocketWatch | undefined;
  readonly writers: () => Writers | undefined;
  readonly heartbeat: HeartbeatFile;
}

/** How the file is read again; undefined = there is none. */
export interface ReadAgain extends StartedWith {
  /** Starts this program as the process that reads. */
  readonly argv: readonly string[];
}

async function prepareFiles(
  { heartbeat, writers: openedWriters, parts }: WiringOptions,
  before: Config,
  next: Config,
): Promise<PreparedDoors> {
  // It opens nothing, so nothing of it is left if the others fail.
  const beats = await heartbeat.prepare(before, next);
  const writers = openedWriters();
  const written = (await writers?.prepare(before, next)) ?? NO_DOORS;
  const journal = writers?.journal;
  const noted = {
    ...NO_DOORS,
    commit: (nowNs: number) => {
      if (writers?.journal !== journal) parts.recovery.notes.use(writers?.journal, NO_STATE, nowNs);
    },
  };
  return prepareAll([() => beats, () => written, () => noted]);
}

export function makeReloader(wiring: WiringOptions): Reloader {
  const { parts, again, servers, notify, socketWatch, lastGood, exporter } = wiring;
  const { live, log, acts, loaded, clock, observer, runner, recovery, feed } = parts;
  const reader = again === undefined ? undefined : new NextReader({ ...again, runner });
  const thresholdChanged = (thresholdNs: number) => socketWatch()?.change(thresholdNs);
  const watched = { ...NO_DOORS, commit: () => socketWatch()?.renew() };
  return new Reloader({
    read: reader === undefined ? undefined : (before, busy) => reader.read(before, busy),
    file: again?.configFile,
    live,
    log,
    openFiles: (before, next) => prepareFiles(wiring, before, next),
    makeSwap: (given, files) => {
      const next = given.loaded.config;
      const doors = prepareAll([
        () => files,
        () => prepareListeners(parts, next),
        () => prepareTracker(parts, next.tracker),
        () => servers.prepare(next),
        () => watched,
      ]);
      return new Swap({ parts, doors, thresholdChanged }, given);
    },
    changeLog: ({ level, format }) => {
      log.format = format;
      acts.configureLevel(level);
    },
    memberCounts: () => memberCounts(observer.tracker),
    notifyBegin: (monotonicUs) => notify()?.reloading(monotonicUs),
    notifyEnd: (trouble) => notify()?.reloaded(clock.lastNs, trouble),
    happened: (detail) => {
      feed.reloaded(detail, clock.nowNs());
      exportReload(exporter(), clock.nowNs(), again?.configFile ?? "", detail);
    },
    counted: (succeeded) => countReload(loaded, succeeded, Date.now()),
    kept: (text) => {
      // Plans that were in doubt are not any more, also if nothing has changed.
      if (live.refusedAt !== undefined)
        recovery.change({ config: live.current.recovery, plans: live.current.plans });
      live.refusedAt = undefined;
      keepLastGood(lastGood, log, text);
    },
    nowNs: () => clock.nowNs(),
    monotonicNs,
    wallMs: Date.now,
  });
}
