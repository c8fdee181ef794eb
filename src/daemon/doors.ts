// Opens what the daemon reads from and writes to, in the order of spec 07 section 7: sockets, then files, then the metrics
// page. What cannot be opened is a `StartError`; the caller closes what is open already.
import { SystemError, errnoText } from "../../ffi/errno.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { EventExport } from "../export/event_export.ts";
import { HttpServer, type HttpServerOptions } from "../http/http_server.ts";
import { allowListOf } from "../listener/allow_list.ts";
import type { Listener } from "../listener/listener.ts";
import { SocketPathError } from "../listener/socket_path.ts";
import { HAS_CREDENTIALS, UnixListener } from "../listener/unix.ts";
import * as series from "../metrics/series.ts";
import type { Parts } from "./parts.ts";
import { makeRuntimeDirectory, queueLengthWarning } from "./system_checks.ts";

/** The daemon cannot start: exit 1, with the likely cure. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Binds every listener and gives it to the observer, which closes it. */
export function openListeners(
  parts: Parts,
  config: Config,
  runtimeDirectory: RuntimeDirectory | undefined,
): void {
  if (runtimeDirectory !== undefined) openRuntimeDirectory(runtimeDirectory);
  warnAboutTransport(parts);
  for (const listenerConfig of config.listeners) {
    const listener = openListener(listenerConfig);
    const number = parts.observer.listeners.length;
    parts.observer.addListener(listener);
    if (!(listener instanceof UnixListener)) continue;
    parts.metrics.setRcvbufBytes(number, listener.rcvbufBytes);
    if (listener.directorySynced) continue;
    parts.metrics.add(series.VARTA_SOCKET_BIND_DIR_FSYNC_FAILED, 1);
    parts.log.warn("the socket's directory could not be synced, ignoring", {
      listener: listener.name,
    });
  }
}

function openRuntimeDirectory(directory: RuntimeDirectory): void {
  try {
    makeRuntimeDirectory(directory);
  } catch (error) {
    throw new StartError(
      `Cannot create the socket's directory ${directory.path}: ${errorText(error)}`,
      "create it for the daemon's user, or give another path with --socket",
    );
  }
}

function openListener(config: ListenerConfig): Listener {
  if (config.kind !== "unix")
    throw new StartError(
      `Cannot open listener ${config.name}: this version has no ${config.kind} listeners`,
      "use a unix listener",
    );
  try {
    const { allowUids, allowGids, ...options } = config;
    return new UnixListener({ ...options, allowList: allowListOf(allowUids, allowGids) });
  } catch (error) {
    if (error instanceof SocketPathError) throw new StartError(error.message, error.hint);
    if (error instanceof SystemError)
      throw new StartError(`${error.message} for listener ${config.name}`, "see ulimit -n");
    throw error;
  }
}

function warnAboutTransport({ log }: Parts): void {
  if (!HAS_CREDENTIALS)
    log.warn(
      "this system attaches no credentials to datagrams: agents are trusted by socket mode only, and never recovered",
    );
  const queue = queueLengthWarning();
  if (queue !== undefined) log.warn(queue);
}

/** Opens the export file; undefined if none is configured. */
export async function openExport(parts: Parts, config: Config): Promise<EventExport | undefined> {
  const { file, format, maxBytes, syncEvery } = config.export;
  if (file === undefined) return undefined;
  const { log, observer } = parts;
  try {
    const opened = await EventExport.open({
      path: file,
      format,
      bytesMax: maxBytes,
      syncEvery,
      listeners: config.listeners.map(({ name }) => name),
      observerNamespaceInode: observer.observerInode,
      errnoText,
    });
    const unsynced = opened.directorySyncError;
    if (unsynced !== undefined)
      log.warn("the directory of the export file could not be synced, ignoring", {
        error: unsynced.message,
      });
    return opened;
  } catch (error) {
    throw new StartError(
      `Cannot open the export file ${file}: ${errorText(error)}`,
      "it must be a regular file of the daemon's user, no link, in a directory that the daemon may write",
    );
  }
}

export type MetricsDoor = Omit<
  HttpServerOptions,
  "listen" | "socketMode" | "token" | "rateLimitPerSec" | "rateLimitBurst" | "scrapeBudgetNs"
>;

/** Binds the metrics page; undefined if none is configured. */
export async function openMetrics(
  config: Config,
  door: MetricsDoor,
  portMayChange: boolean,
): Promise<HttpServer | undefined> {
  const { listen } = config.metrics;
  if (listen === undefined) return undefined;
  const options = { ...config.metrics, ...door };
  try {
    return await HttpServer.open({ ...options, listen });
  } catch (error) {
    const inUse = (error as { code?: unknown }).code === "EADDRINUSE";
    if (inUse && portMayChange && listen.kind === "tcp")
      return await HttpServer.open({ ...options, listen: { ...listen, port: 0 } });
    const where = listen.kind === "tcp" ? `${listen.host}:${listen.port}` : `unix:${listen.path}`;
    throw new StartError(
      `Cannot serve metrics on ${where}: ${errorText(error)}`,
      inUse
        ? `see who has the port (ss -ltnp), or set metrics.listen; port 0 takes a free one`
        : "set metrics.listen to an address of this machine, such as 127.0.0.1:9469",
    );
  }
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
