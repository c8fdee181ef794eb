// Wires the servers to the parts of the daemon.
import { VERSION } from "../base/build_info.ts";
import type { ControlSources } from "../control/request.ts";
import { HttpServer } from "../http/http_server.ts";
import type { View } from "../view/view.ts";
import { controlOptions, controlSources, controlViews } from "./control_wiring.ts";
import { logRefusals } from "./http_wiring.ts";
import type { Parts } from "./parts.ts";
import { Servers } from "./servers.ts";

/** What the health pages say. */
interface Health {
  readonly isFresh: () => boolean;
  readonly isReady: () => boolean;
}

export function makeServers(
  parts: Parts,
  view: View,
  health: Health,
  reload: ControlSources["reload"],
): Servers {
  const { metrics, clock, log } = parts;
  const httpSources = controlSources(view, parts, reload);
  return new Servers({
    log,
    ofHttp: {
      ...health,
      source: metrics.exposition,
      counted: logRefusals(log, () => clock.lastNs),
      nowNs: () => clock.nowNs(),
      wallMs: Date.now,
      version: VERSION,
      onError: (error: Error) =>
        log.limited("prom_serve", "error", "http answer failed", { error: error.message }),
    },
    // Each has its own, so that those who follow the events by one leave the other its places.
    ofControl: controlOptions(parts, controlSources(view, parts, reload)),
    viewsOf: (config) => controlViews(config, httpSources),
    opened: (server, { optionsAlone }) => {
      // The page of a daemon without a file is that of the Rust observer.
      if (server instanceof HttpServer || !optionsAlone) metrics.show(server.counters);
    },
    nowNs: () => clock.nowNs(),
  });
}
