// Client library for agents: a 32-byte heartbeat to a varta-watch, from any Bun program.
//
//   import { connect } from "varta-watch/client";
//   const client = connect();
//   client.installCrashBeat();
//   setInterval(client.beat, 1000).unref();
//
// `connect` reaches the daemon of this machine, the others one across a network. Beats never block
// and never throw; every result is a value. Importing this module opens nothing, but it throws
// `PlatformError` where the C library cannot be called (bun:ffi needs the JIT). docs/client.md has
// the rules.
import { effectiveUid } from "../../ffi/process.ts";
import { defaultSocket } from "../config/runtime_directory.ts";
import { agentSystem } from "./agent_system.ts";
import { BAD_KEY } from "./beat_result.ts";
import { beatStreamFor } from "./beat_stream.ts";
import { Client } from "./client.ts";
import { type Endpoint, udpEndpoint, unixEndpoint, unusable } from "./endpoint.ts";
import { keyBytes, SecureSession } from "./secure_session.ts";

export { PlatformError } from "../../ffi/libc.ts";
export type { BeatResult, Dropped, Failed, Sent } from "./beat_result.ts";
export type { AgentStatus, Client, ClientCounters } from "./client.ts";

export interface ConnectOptions {
  /**
   * Least milliseconds between two attempts to connect while there is no observer; 0 = at every
   * beat. Default 100.
   */
  readonly reconnectMs?: number;
}

export interface UdpOptions extends ConnectOptions {
  /** The observer's IPv4 or IPv6 address; a name is not looked up. */
  readonly host: string;
  readonly port: number;
}

export interface SecureUdpOptions extends UdpOptions {
  /**
   * The shared key: 32 bytes, or the 64 hex digits of a key file. The client keeps a copy until
   * close().
   */
  readonly key: Uint8Array | string;
}

export interface MasterKeyUdpOptions extends UdpOptions {
  /**
   * The master key, in the same forms. The client seals with the key that it derives for its own
   * pid.
   */
  readonly masterKey: Uint8Array | string;
}

/**
 * One attempt costs about two microseconds: ten per second are nothing, one per beat of a tight
 * loop would be.
 */
const RECONNECT_MS_DEFAULT = 100;

/**
 * Prepares beats to the observer at `path`. It always returns a client: if there is no observer
 * yet, the beats say so and find it later. One client per process and observer is enough; two share
 * one nonce stream.
 *
 * Without `path`: `/run/varta/varta.sock` for root, else `$XDG_RUNTIME_DIR/varta/varta.sock`, else
 * `varta-<uid>/varta.sock` in the temporary directory (`TMPDIR`, else `/tmp`), which is where a
 * varta-watch of the same user listens. A service that runs as another user than the system's
 * varta-watch passes "/run/varta/varta.sock". A relative path is looked up from the working
 * directory at every connect; one that begins with "@" is an abstract name (Linux).
 */
export function connect(path?: string, options?: ConnectOptions): Client {
  const socketPath = path === undefined ? defaultSocket(effectiveUid(), process.env).path : path;
  return clientOf(unixEndpoint(socketPath), options, undefined);
}

/**
 * Prepares plaintext beats to a `udp` listener. Any program that reaches its port can forge them,
 * and nothing says whether a beat arrived: use it on a loopback or for tests.
 */
export function connectUdp(options: UdpOptions): Client {
  return clientOf(udpEndpoint(options?.host, options?.port), options, undefined);
}

/**
 * Prepares beats to a `secure-udp` listener, sealed with a key that all its agents share (60-byte
 * frames).
 */
export function connectSecureUdp(options: SecureUdpOptions): Client {
  return secureClient(options, "shared", options?.key);
}

/**
 * Prepares beats to a `secure-udp` listener, sealed with a key of this process alone (64-byte
 * frames).
 */
export function connectSecureUdpWithMaster(options: MasterKeyUdpOptions): Client {
  return secureClient(options, "master", options?.masterKey);
}

function secureClient(options: UdpOptions, keyKind: "shared" | "master", given: unknown): Client {
  const endpoint = udpEndpoint(options?.host, options?.port);
  const key = keyBytes(given);
  if (key === undefined) return clientOf(unusable(endpoint, BAD_KEY), options, undefined);
  return clientOf(endpoint, options, new SecureSession({ key, keyKind }));
}

function clientOf(
  endpoint: Endpoint,
  options: ConnectOptions | undefined,
  session: SecureSession | undefined,
): Client {
  return new Client(endpoint, {
    stream: beatStreamFor(endpoint.streamName),
    system: agentSystem,
    session,
    reconnectMs: reconnectMs(options),
  });
}

function reconnectMs(options: ConnectOptions | undefined): number {
  const value = options?.reconnectMs;
  return typeof value === "number" && value >= 0 ? value : RECONNECT_MS_DEFAULT;
}
