// Wires the reload to the parts of the daemon.
import type { LoadResult } from "../../config/load_result.ts";
import { countReload } from "../loaded_config.ts";
import { monotonicNs } from "../monotonic.ts";
import { NO_DOORS, prepareAll } from "../door_change.ts";
import { prepareListeners } from "../listener_doors.ts";
import type { Notify } from "../notify.ts";
import type { Parts } from "../parts.ts";
import type { Servers } from "../servers.ts";
import type { SocketWatch } from "../socket_watch.ts";
import { Reloader } from "./reloader.ts";
import { membersOfRule } from "./rematch.ts";
import { Swap } from "./swap.ts";

interface WiringOptions {
  readonly parts: Parts;
  readonly servers: Servers;
  readonly load: (() => Promise<LoadResult>) | undefined;
  /** Asked when they are needed: they are opened after the handlers stand. */
  readonly notify: () => Notify | undefined;
  readonly socketWatch: () => SocketWatch | undefined;
}

export function makeReloader(wiring: WiringOptions): Reloader {
  const { parts, load, servers, notify, socketWatch } = wiring;
  const { live, log, acts, loaded, clock, observer } = parts;
  const thresholdChanged = (thresholdNs: number) => socketWatch()?.change(thresholdNs);
  const watched = { ...NO_DOORS, commit: () => socketWatch()?.renew() };
  return new Reloader({
    load,
    live,
    log,
    makeSwap: (loaded) => {
      const next = loaded.config;
      const doors = prepareAll([
        () => prepareListeners(observer.listeners, live.current.listeners, next.listeners),
        () => servers.prepare(next),
        () => watched,
      ]);
      return new Swap({ parts, doors, thresholdChanged }, loaded);
    },
    changeLog: ({ level, format }) => {
      log.format = format;
      acts.configureLevel(level);
    },
    membersOfRule: (rule) => membersOfRule(observer.tracker, rule),
    notifyBegin: (monotonicUs) => notify()?.reloading(monotonicUs),
    notifyEnd: (trouble) => notify()?.reloaded(clock.lastNs, trouble),
    counted: (succeeded) => countReload(loaded, succeeded, Date.now()),
    monotonicNs,
  });
}
