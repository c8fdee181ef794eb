// What the page says of the configuration that the daemon runs with.
import { block, Counters, type CountersOf, gauge } from "../base/counters.ts";

export const CONFIG = block({
  lastReloadSuccessful: gauge(
    "varta_config_last_reload_successful",
    "Whether the last load or reload succeeded: 1 or 0.",
  ),
  lastReloadSuccess: gauge(
    "varta_config_last_reload_success_timestamp_seconds",
    "Unix time of the last successful load or reload.",
    { decimals: 3 },
  ),
  lastGood: gauge(
    "varta_config_last_good_in_use",
    "Whether the configuration that worked last is in force because its file had problems at the start: 1 or 0.",
  ),
});

/** The counters of a configuration that was loaded at `unixMs`. */
export function loadedCounters(unixMs: number): CountersOf<typeof CONFIG> {
  const counters = new Counters(CONFIG, undefined);
  counters.set(CONFIG.lastReloadSuccessful, 1);
  counters.set(CONFIG.lastReloadSuccess, Math.floor(unixMs / 1000));
  return counters;
}

/** A reload has ended at `unixMs`. */
export function countReload(
  counters: CountersOf<typeof CONFIG>,
  succeeded: boolean,
  unixMs: number,
): void {
  counters.set(CONFIG.lastReloadSuccessful, succeeded ? 1 : 0);
  if (succeeded) counters.set(CONFIG.lastGood, 0);
  if (succeeded) counters.set(CONFIG.lastReloadSuccess, Math.floor(unixMs / 1000));
}

/** The start began with the configuration that worked last. */
export function countLastGood(counters: CountersOf<typeof CONFIG>): void {
  counters.set(CONFIG.lastReloadSuccessful, 0);
  counters.set(CONFIG.lastGood, 1);
}
