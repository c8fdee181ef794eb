// Opens the listeners at the start (spec 07 section 7). What cannot be opened is a `StartError`;
// the caller closes what is open already.
import { isLoopbackAddress } from "../config/keys/address.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { SocketInUseError } from "../sockets/socket_path.ts";
import { HAS_CREDENTIALS } from "../listener/unix.ts";
import {
  bindListener,
  type DaemonListener,
  keysOf,
  makeListener,
  opening,
} from "./listener_kinds.ts";
import type { Parts } from "./parts.ts";
import { errorText, StartError } from "./start_error.ts";
import { makeRuntimeDirectory, queueLengthWarning } from "./system_checks.ts";

/** How long, and how often, a path that is in use is tried again at the start. */
const IN_USE_MS_MAX = 300;
const IN_USE_STEP_MS = 20;

/** Binds every listener and gives it to the observer, which closes it. */
export function openListeners(
  parts: Parts,
  config: Config,
  runtimeDirectory: RuntimeDirectory | undefined,
): void {
  if (runtimeDirectory !== undefined) openRuntimeDirectory(runtimeDirectory);
  warnAboutTransport(parts, config);
  for (const listenerConfig of config.listeners) {
    warnAboutListener(parts, listenerConfig);
    const listener = openListener(listenerConfig, parts);
    parts.observer.addListener(listener);
    if (!("directorySynced" in listener) || listener.directorySynced) continue;
    parts.log.warn("directory sync failed, ignoring", {
      listener: listener.name,
    });
  }
}

function openRuntimeDirectory(directory: RuntimeDirectory): void {
  try {
    makeRuntimeDirectory(directory);
  } catch (error) {
    throw new StartError(
      `cannot create the socket's directory ${directory.path}: ${errorText(error)}`,
      "create it for the daemon's user, or give another path with --socket",
    );
  }
}

function openListener(config: ListenerConfig, parts: Parts): DaemonListener {
  const keys = keysOf(config);
  const bind = () => openPatiently(() => bindListener(config, parts.kept), Bun.sleepSync);
  const socket = opening(config, bind);
  try {
    return opening(config, () => makeListener(config, { parts, socket, keys }));
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * What `open` makes. A daemon that was killed while it started a child leaves its sockets open in
 * that child until it has become another program (seen: up to 94 ms on a busy machine), so a path
 * that is in use is tried again for a moment.
 */
export function openPatiently<Opened>(open: () => Opened, sleepMs: (ms: number) => void): Opened {
  for (let waitedMs = 0; ; waitedMs += IN_USE_STEP_MS) {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof SocketInUseError) || waitedMs >= IN_USE_MS_MAX) throw error;
    }
    sleepMs(IN_USE_STEP_MS);
  }
}

/** Risks that the configuration accepts, logged once for each listener that is opened. */
export function warnAboutListener({ log }: Pick<Parts, "log">, config: ListenerConfig): void {
  if ("path" in config) return;
  const fields = { listener: config.name, address: config.address, port: config.port };
  if (config.kind === "udp")
    log.warn("unauthenticated listener", {
      ...fields,
      effect: "any sender can beat for any pid",
    });
  else if (!isLoopbackAddress(config.address))
    log.warn("listener reachable by network", {
      ...fields,
      effect: "only its keys protect it",
    });
  if (config.acceptRecovery === true)
    log.warn("unattested recoveries accepted", {
      ...fields,
      effect: "its beats may start recoveries, and the kernel attests no sender",
    });
}

function warnAboutTransport({ log }: Parts, { listeners }: Config): void {
  if (!HAS_CREDENTIALS)
    log.warn("senders not attested", {
      reason: "this system attaches no credentials to datagrams",
      effect: "agents are trusted by socket mode only, and never recovered",
    });
  // A stream has a queue for each connection, and UDP one of bytes.
  if (!listeners.some((one) => "path" in one && one.kind !== "unix-stream")) return;
  const queue = queueLengthWarning();
  if (queue !== undefined) log.warn("receive queue is short", queue);
}
