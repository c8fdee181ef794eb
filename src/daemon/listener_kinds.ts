// The listeners of the daemon by their kinds: the socket of each, and what each has from its
// configuration and from the daemon, at the start as at a reload.
import { SystemError } from "../../ffi/errno.ts";
import { descriptorLimit } from "../../ffi/limits.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { DESCRIPTORS_RESERVED_MAX } from "../base/limits.ts";
import { ORIGIN_KEY_ATTESTED, ORIGIN_NETWORK_UNVERIFIED } from "../base/origin.ts";
import type { Config, ListenerConfig } from "../config/config.ts";
import { allowListOf } from "../listener/allow_list.ts";
import type { SecureKeys } from "../listener/key_ring.ts";
import { SecureUdpListener } from "../listener/secure_udp.ts";
import { UdpListener } from "../listener/udp.ts";
import { UdpSocket, UdpSocketError } from "../listener/udp_socket.ts";
import { UnixListener, type UnixListenerOptions } from "../listener/unix.ts";
import { UnixSocket } from "../listener/unix_socket.ts";
import { StreamPlaces } from "../listener/stream_places.ts";
import { UnixStreamListener, type UnixStreamListenerOptions } from "../listener/unix_stream.ts";
import { UnixStreamSocket } from "../listener/unix_stream_socket.ts";
import type { Observer } from "../observer/observer.ts";
import { nowGeneration } from "../processes/generation.ts";
import { readKeyFiles } from "../secrets/key_file.ts";
import type { KeptSockets } from "../sockets/kept_sockets.ts";
import { SocketPathError } from "../sockets/socket_path.ts";
import { isHeard } from "../tracker/beating.ts";
import type { LiveConfig } from "./live_config.ts";
import { monotonicNs } from "./monotonic.ts";
import { StartError } from "./start_error.ts";

export type DaemonListener = UnixListener | UnixStreamListener | UdpListener | SecureUdpListener;
export type ListenerSocket = UnixSocket | UnixStreamSocket | UdpSocket;

/** Of the process, whose descriptors they are. */
const STREAM_PLACES = new StreamPlaces();

type ConfigOf<Kind extends ListenerConfig["kind"]> = Extract<
  ListenerConfig,
  { readonly kind: Kind }
>;

/** Two listeners of one address have the same socket, one after the other. */
export function addressOf(config: ListenerConfig): string {
  return "path" in config
    ? `${config.kind}:${config.path}`
    : `udp:${config.address}:${config.port}`;
}

/** What `open` makes for a listener; throws `StartError` with the likely cure. */
export function opening<Opened>({ name }: ListenerConfig, open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    if (error instanceof SocketPathError || error instanceof UdpSocketError)
      throw new StartError(error.message, error.hint);
    if (error instanceof SystemError)
      throw new StartError(`${error.message} for listener ${name}`, "see ulimit -n");
    throw error;
  }
}

/**
 * At the start: the socket that was handed over for it, or a new one. Throws `SocketPathError`,
 * `UdpSocketError` or `SystemError`.
 */
export function bindListener(config: ListenerConfig, kept: KeptSockets): ListenerSocket {
  if (!("path" in config)) return new UdpSocket({ ...config, kept });
  const { path, mode, gid } = config;
  if (config.kind === "unix-stream") return new UnixStreamSocket({ path, mode, gid, kept });
  const dropsRights = config.kind === "notify";
  return new UnixSocket({ path, mode, gid, kept, dropsRights }, nowGeneration);
}

/**
 * While beats are taken, so it must not wait for a disk. The sockets `leaving` are about to be
 * closed. Throws as `bindListener` does.
 */
export function bindAnother(
  config: ListenerConfig,
  { leaving, kept }: { readonly leaving: readonly ListenerSocket[]; readonly kept: KeptSockets },
): ListenerSocket {
  if ("path" in config) {
    const { path, mode, gid } = config;
    const options = { path, mode, gid, kept, syncsDirectory: false };
    if (config.kind === "unix-stream") return new UnixStreamSocket(options);
    return new UnixSocket({ ...options, dropsRights: config.kind === "notify" }, nowGeneration);
  }
  const inTheWay = leaving.filter((one) => one instanceof UdpSocket && one.port === config.port);
  return new UdpSocket(
    { ...config, kept },
    inTheWay.map(({ fd }) => fd),
  );
}

/**
 * The keys of a secure listener, undefined of another one. The check has read the same files, and
 * kept nothing of them. Throws `StartError`.
 */
export function keysOf(config: ListenerConfig): SecureKeys | undefined {
  if (config.kind !== "secure-udp") return undefined;
  const read = readKeyFiles(config, effectiveUid());
  if (read.ok) return read.keys;
  throw new StartError(
    `cannot open listener ${config.name}: ${read.problems.join("; ")}`,
    "varta-watch keygen makes a key file",
  );
}

interface ListenerParts {
  readonly parts: { readonly observer: Observer; readonly live: LiveConfig };
  readonly socket: ListenerSocket;
  /** It takes ownership of them. */
  readonly keys: SecureKeys | undefined;
}

/** A listener of `config` that receives by the socket. */
export function makeListener(
  config: ListenerConfig,
  { parts, socket, keys }: ListenerParts,
): DaemonListener {
  // Started by options alone a hello is a datagram of a wrong size, as ever.
  const takesControl = !isOfOptions(parts.live.current);
  if (config.kind === "unix")
    return new UnixListener({ ...unixOptions(config), takesControl }, socket as UnixSocket);
  if (config.kind === "notify") return new UnixListener(unixOptions(config), socket as UnixSocket);
  if (config.kind === "unix-stream")
    return new UnixStreamListener(streamOptions(config), socket as UnixStreamSocket);
  if (config.kind === "udp")
    return new UdpListener({ ...udpOptions(config), takesControl }, socket as UdpSocket);
  const { observer, live } = parts;
  return new SecureUdpListener(
    {
      ...udpOptions(config),
      takesControl,
      // The word of the Rust observer, whose options these are.
      keyOrigin: isOfOptions(live.current) ? ORIGIN_NETWORK_UNVERIFIED : ORIGIN_KEY_ATTESTED,
      keys: keys!,
      restartGapNs: observer.thresholdNs,
      isBeating: (pid) => isHeard(observer.tracker, pid),
      monotonicNs,
    },
    socket as UdpSocket,
  );
}

/** Its socket and its kind are the same. */
export function changeListener(listener: DaemonListener, config: ListenerConfig): void {
  if (listener instanceof UnixListener)
    listener.change(unixOptions(config as ConfigOf<"unix" | "notify">));
  else if (listener instanceof UnixStreamListener)
    listener.change(streamOptions(config as ConfigOf<"unix-stream">));
  else listener.change(udpOptions(config as ConfigOf<"udp" | "secure-udp">));
}

function unixOptions(config: ConfigOf<"unix"> | ConfigOf<"notify">): UnixListenerOptions {
  const { allowUids, allowGids, ...options } = config;
  const allowList = allowListOf(allowUids, allowGids);
  // The kernel bounds a queue of texts by their number alone.
  if (options.kind === "notify")
    return { ...options, rcvbufBytes: 0, takesTexts: true, allowList, nowGeneration };
  return { ...options, allowList, nowGeneration };
}

function streamOptions(config: ConfigOf<"unix-stream">): UnixStreamListenerOptions {
  const { allowUids, allowGids, ...options } = config;
  const limit = Number(descriptorLimit()?.soft ?? Number.POSITIVE_INFINITY);
  return {
    ...options,
    allowList: allowListOf(allowUids, allowGids),
    places: STREAM_PLACES,
    fdEnd: limit - Math.min(DESCRIPTORS_RESERVED_MAX, Math.ceil(limit / 2)),
    nowGeneration,
  };
}

function udpOptions<C extends ConfigOf<"udp" | "secure-udp">>(config: C) {
  return { ...config, acceptRecovery: config.acceptRecovery === true };
}

function isOfOptions({ optionsAlone }: Config): boolean {
  return optionsAlone;
}
