// The lines of the log that a newcomer needs once the daemon is open: where it listens,
// where the metrics are, how to send a beat.
import { msFromNs } from "../base/time.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import type { ExitStatusSources } from "./end_wiring.ts";
import type { UdpPlace } from "../sockets/stored_name.ts";
import type { Log } from "./log.ts";

interface StartLines {
  readonly log: Log;
  readonly config: Config;
  /** Where the metrics page is; undefined = nowhere. */
  readonly metricsAddress: string | undefined;
  /** The path of the control socket; undefined = there is none. */
  readonly controlPath: string | undefined;
  /** What tells how a process ended; undefined = ends are not followed. */
  readonly exitStatuses: ExitStatusSources | undefined;
  /** The command that sends a beat to `socketPath`, where a person tries the daemon out. */
  readonly beatCommand: ((socketPath: string) => string) | undefined;
  readonly kept: TakenPaths;
}

interface TakenPaths {
  /** The socket there was there before the process. */
  tookOver(place: string | UdpPlace): boolean;
}

export function logStart(lines: StartLines): void {
  const { log, config, metricsAddress, beatCommand, kept } = lines;
  for (const listener of config.listeners) logListening(log, listener, kept);
  if (lines.controlPath !== undefined)
    log.info("control", { path: lines.controlPath, ...inherited(lines.controlPath, kept) });
  if (metricsAddress !== undefined) log.info("metrics", { url: metricsUrl(metricsAddress) });
  else log.info("metrics off", { hint: "set metrics.listen to serve them" });
  if (metricsAddress !== undefined && servesStatusAlone(config))
    log.info("view is status alone", { path: "/v1/status", hint: "metrics.token_file" });
  if (lines.exitStatuses !== undefined) logExitStatuses(log, lines.exitStatuses);
  const unix = config.listeners.find((listener) => listener.kind === "unix");
  log.info("ready", {
    threshold_ms: msFromNs(config.observer.thresholdNs),
    command: unix === undefined ? undefined : beatCommand?.(unix.path),
  });
}

/** `kept` undefined = it was bound just now. */
export function logListening(
  log: Pick<Log, "info">,
  listener: ListenerConfig,
  kept?: TakenPaths,
): void {
  const { kind, name } = listener;
  if ("path" in listener) {
    const { path } = listener;
    const ofKind = kind === "unix" ? {} : { kind };
    log.info("listening", { listener: name, ...ofKind, path, ...inherited(path, kept) });
  } else {
    const { address, port } = listener;
    log.info("listening", { listener: name, kind, address, port, ...inherited(listener, kept) });
  }
}

function inherited(place: string | UdpPlace, kept: TakenPaths | undefined): { inherited?: true } {
  return kept?.tookOver(place) === true ? { inherited: true } : {};
}

/** Everybody on the machine can connect to a loopback address: the rest of /v1/ wants a token. */
function servesStatusAlone({ metrics, optionsAlone }: Config): boolean {
  const { listen, view, token } = metrics;
  return view && !optionsAlone && listen?.kind === "tcp" && token === undefined;
}

// Where the kernel says it, nobody needs to know who else would.
function logExitStatuses(log: Log, { kernel, systemd }: ExitStatusSources): void {
  const fields = { kernel: yesOrNo(kernel), systemd: yesOrNo(systemd) };
  if (kernel) {
    log.debug("exit statuses", fields);
    return;
  }
  const known = systemd ? "main processes of units" : "processes that nobody reaps";
  log.info("exit statuses", { ...fields, effect: `known of ${known}; of all from Linux 6.15 on` });
}

function yesOrNo(is: boolean): string {
  return is ? "yes" : "no";
}

/** As a person opens it. */
export function metricsUrl(address: string): string {
  return address.startsWith("unix:") ? address : `http://${address}/metrics`;
}
