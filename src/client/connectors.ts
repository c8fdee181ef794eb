// The functions that make clients, for the runtime that they live in.
import { isMainThread } from "node:worker_threads";
import { defaultSocket, defaultStream } from "../config/runtime_directory.ts";
import { BAD_KEY, NO_STREAM } from "./beat_result.ts";
import { beatStreamFor } from "./beat_stream.ts";
import { Client } from "./client.ts";
import { type Endpoint, udpEndpoint, unixEndpoint, unusable } from "./endpoint.ts";
import { greetingOf } from "./greeting.ts";
import type { LocalKind, Platform } from "./platform.ts";
import { processWide } from "./process_wide.ts";
import { keyBytes, SecureSession } from "./secure_session.ts";

export interface ConnectOptions {
  /**
   * Least milliseconds between two attempts to connect while there is no observer, to which up to
   * half as much is added at random; 0 = at every beat. Default 100.
   */
  readonly reconnectMs?: number;
  /**
   * Whether a cause for which beats were not sent is a warning of the process, once a minute at
   * most. On by default.
   */
  readonly warn?: boolean;
  /**
   * What this process wants to be called: said with hello, and honoured where the rule that takes
   * it says `announce`.
   */
  readonly name?: string;
  /** How often it beats; three times that is the threshold it asks for. */
  readonly intervalMs?: number;
}

export interface UdpOptions extends ConnectOptions {
  /** The observer's IPv4 or IPv6 address; a name is not looked up. */
  readonly host: string;
  readonly port: number;
}

/**
 * One of two keys, 32 bytes or the 64 hex digits of a key file: the shared `key`, or the
 * `masterKey`, from which the client derives the key of its own pid. The client keeps a copy until
 * close().
 */
export interface SecureUdpOptions extends UdpOptions {
  readonly key?: Uint8Array | string;
  readonly masterKey?: Uint8Array | string;
}

export interface Connectors {
  connect(path?: string, options?: ConnectOptions): Client;
  connectUdp(options: UdpOptions): Client;
  connectSecureUdp(options: SecureUdpOptions): Client;
}

/**
 * One attempt costs about two microseconds: ten per second are nothing, one per beat of a tight
 * loop would be.
 */
const RECONNECT_MS_DEFAULT = 100;

/** `pathKind` is what a path without a word about it leads to. */
export function connectors(platform: Platform, pathKind: LocalKind): Connectors {
  return {
    connect: (path, options) => shared(localEndpoint(platform, pathKind, path), platform, options),
    connectUdp: (options) =>
      shared(udpEndpoint(platform, options?.host, options?.port), platform, options),
    connectSecureUdp: (options) => secureClient(platform, options),
  };
}

function localEndpoint(platform: Platform, pathKind: LocalKind, path: unknown): Endpoint {
  const here = platform.hasDatagrams ? pathKind : "stream";
  if (path !== undefined) return unixEndpoint(platform, here, path);
  const stream = process.env["VARTA_STREAM"] ?? "";
  if (stream !== "") return unixEndpoint(platform, "stream", stream);
  const datagram = process.env["VARTA_SOCKET"] ?? "";
  if (datagram !== "") {
    const endpoint = unixEndpoint(platform, "datagram", datagram);
    return platform.hasDatagrams ? endpoint : unusable(endpoint, NO_STREAM);
  }
  const uid = platform.effectiveUid();
  return platform.hasDatagrams
    ? unixEndpoint(platform, "datagram", defaultSocket(uid, process.env).path)
    : unixEndpoint(platform, "stream", defaultStream(uid, process.env));
}

function secureClient(platform: Platform, options: SecureUdpOptions): Client {
  const endpoint = udpEndpoint(platform, options?.host, options?.port);
  const { key: shared, masterKey } = options ?? {};
  const key = keyBytes(shared ?? masterKey);
  if (key === undefined || (shared !== undefined && masterKey !== undefined))
    return clientOf(unusable(endpoint, BAD_KEY), platform, options);
  const keyKind = shared === undefined ? "master" : "shared";
  const session = new SecureSession({ key, keyKind, aead: platform.aead });
  return clientOf(endpoint, platform, options, session);
}

/**
 * The client of the process for this endpoint: beats of two connections may overtake each other,
 * and would be refused as out of order.
 */
function shared(endpoint: Endpoint, platform: Platform, options?: ConnectOptions): Client {
  if (endpoint.open === null) return clientOf(endpoint, platform, options);
  const clients = processWide("clients", () => new Map<string, Client>());
  const known = clients.get(endpoint.streamName);
  if (known !== undefined && !known.isClosed) {
    known.introduce(options?.name, options?.intervalMs);
    return known;
  }
  const client = clientOf(endpoint, platform, options);
  clients.set(endpoint.streamName, client);
  return client;
}

function clientOf(
  endpoint: Endpoint,
  platform: Platform,
  options: ConnectOptions | undefined,
  session?: SecureSession,
): Client {
  if (!isMainThread)
    throw new Error(
      "Cannot connect in a worker thread: a process has one numbering of its beats: connect in the main thread, and let the worker tell it by a message that it is alive",
    );
  return new Client(endpoint, {
    stream: beatStreamFor(endpoint.streamName),
    system: platform.system,
    session,
    reconnectMs: reconnectMs(options),
    warn: options?.warn !== false,
    greeting: greetingOf(options?.name, options?.intervalMs),
  });
}

function reconnectMs(options: ConnectOptions | undefined): number {
  const value = options?.reconnectMs;
  return typeof value === "number" && value >= 0 ? value : RECONNECT_MS_DEFAULT;
}
