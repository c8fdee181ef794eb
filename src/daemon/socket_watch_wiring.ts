// The watch over the files of sockets, in the daemon: those of its listeners and of its servers.
import type { Config } from "../config/config.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { shortestThresholdNs } from "../config/shortest_threshold.ts";
import { UnixListener } from "../listener/unix.ts";
import { UnixStreamListener } from "../listener/unix_stream.ts";
import type { Parts } from "./parts.ts";
import type { Servers } from "./servers.ts";
import { SocketWatch } from "./socket_watch.ts";
import { makeRuntimeDirectory } from "./system_checks.ts";

interface SocketWatchOptions {
  readonly parts: Parts;
  readonly servers: Servers;
  readonly config: Config;
  readonly runtimeDirectory: RuntimeDirectory | undefined;
}

export function makeSocketWatch(options: SocketWatchOptions): SocketWatch {
  const { parts, servers, config, runtimeDirectory } = options;
  const { log, metrics, observer } = parts;
  return new SocketWatch({
    sockets: () => [
      ...observer.listenersInForce
        .map((number) => observer.listeners[number])
        .filter((one) => one instanceof UnixListener || one instanceof UnixStreamListener),
      ...servers.watched,
    ],
    log,
    metrics,
    thresholdNs: shortestThresholdNs(config),
    makeDirectory: () => {
      if (runtimeDirectory !== undefined) makeRuntimeDirectory(runtimeDirectory);
    },
  });
}
