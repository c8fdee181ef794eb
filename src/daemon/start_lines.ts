// The lines of the log that a newcomer needs once the daemon is open: where it listens,
// where the metrics are, how to send a beat.
import { msFromNs } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "./log.ts";

interface StartLines {
  readonly log: Log;
  readonly config: Config;
  /** Where the metrics page is; undefined = nowhere. */
  readonly metricsAddress: string | undefined;
  /** The command that sends a beat to `socketPath`, where a person tries the daemon out. */
  readonly beatCommand: ((socketPath: string) => string) | undefined;
}

export function logStart({ log, config, metricsAddress, beatCommand }: StartLines): void {
  for (const listener of config.listeners) {
    if (listener.kind === "unix")
      log.info("listening", { listener: listener.name, path: listener.path });
    else
      log.info("listening", {
        listener: listener.name,
        kind: listener.kind,
        address: listener.address,
        port: listener.port,
      });
  }
  if (metricsAddress !== undefined) log.info("metrics", { url: metricsUrl(metricsAddress) });
  else log.info("metrics off", { hint: "set metrics.listen to serve them" });
  const unix = config.listeners.find((listener) => listener.kind === "unix");
  log.info("ready", {
    threshold_ms: msFromNs(config.observer.thresholdNs),
    command: unix === undefined ? undefined : beatCommand?.(unix.path),
  });
}

function metricsUrl(address: string): string {
  return address.startsWith("unix:") ? address : `http://${address}/metrics`;
}
