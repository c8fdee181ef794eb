// Opens the listeners at the start (spec 07 section 7). What cannot be opened is a `StartError`;
// the caller closes what is open already.
import { SystemError } from "../../ffi/errno.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { isLoopbackAddress } from "../config/keys/address.ts";
import type { Config, ListenerConfig, SecureUdpListenerConfig } from "../config/config.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { readKeyFiles } from "../secrets/key_file.ts";
import { ORIGIN_KEY_ATTESTED, ORIGIN_NETWORK_UNVERIFIED } from "../base/origin.ts";
import { SocketInUseError, SocketPathError } from "../sockets/socket_path.ts";
import { allowListOf } from "../listener/allow_list.ts";
import type { Listener } from "../listener/listener.ts";
import { SecureUdpListener } from "../listener/secure_udp.ts";
import { UdpListener } from "../listener/udp.ts";
import { UdpSocketError } from "../listener/udp_socket.ts";
import { HAS_CREDENTIALS, UnixListener } from "../listener/unix.ts";
import type { Observer } from "../observer/observer.ts";
import { nowGeneration } from "../processes/generation.ts";
import { isHeard } from "../tracker/beating.ts";
import { monotonicNs } from "./monotonic.ts";
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
  warnAboutTransport(parts);
  for (const listenerConfig of config.listeners) {
    warnAboutListener(parts, listenerConfig);
    const listener = openListener(listenerConfig, parts.observer, config.optionsAlone);
    parts.observer.addListener(listener);
    if (listener.directorySynced !== false) continue;
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

function openListener(config: ListenerConfig, observer: Observer, optionsAlone: boolean): Listener {
  try {
    switch (config.kind) {
      case "unix": {
        const { allowUids, allowGids, ...options } = config;
        const allowList = allowListOf(allowUids, allowGids);
        return openPatiently(
          () => new UnixListener({ ...options, allowList, nowGeneration }),
          Bun.sleepSync,
        );
      }
      case "udp":
        return new UdpListener({ ...config, acceptRecovery: config.acceptRecovery === true });
      case "secure-udp":
        return openSecureUdp(config, observer, optionsAlone);
    }
  } catch (error) {
    if (error instanceof SocketPathError || error instanceof UdpSocketError)
      throw new StartError(error.message, error.hint);
    if (error instanceof SystemError)
      throw new StartError(`${error.message} for listener ${config.name}`, "see ulimit -n");
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

// The configuration has checked the same files; they are read again so that no key stays in memory
// outside of its listener.
function openSecureUdp(
  config: SecureUdpListenerConfig,
  observer: Observer,
  optionsAlone: boolean,
): Listener {
  const read = readKeyFiles(config, effectiveUid());
  if (!read.ok)
    throw new StartError(
      `cannot open listener ${config.name}: ${read.problems.join("; ")}`,
      "varta-watch keygen makes a key file",
    );
  return new SecureUdpListener({
    ...config,
    acceptRecovery: config.acceptRecovery === true,
    // The word of the Rust observer, whose options these are.
    keyOrigin: optionsAlone ? ORIGIN_NETWORK_UNVERIFIED : ORIGIN_KEY_ATTESTED,
    keys: read.keys,
    restartGapNs: observer.thresholdNs,
    isBeating: (pid) => isHeard(observer.tracker, pid),
    monotonicNs,
  });
}

// Risks that the configuration accepts, logged once at each start.
function warnAboutListener({ log }: Parts, config: ListenerConfig): void {
  if (config.kind === "unix") return;
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

function warnAboutTransport({ log }: Parts): void {
  if (!HAS_CREDENTIALS)
    log.warn("senders not attested", {
      reason: "this system attaches no credentials to datagrams",
      effect: "agents are trusted by socket mode only, and never recovered",
    });
  const queue = queueLengthWarning();
  if (queue !== undefined) log.warn("receive queue is short", queue);
}
