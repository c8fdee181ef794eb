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
// the rules; package.ts is the same for Node and Deno.
import { bunPlatform } from "./bun_platform.ts";
import type { Client } from "./client.ts";
import {
  type ConnectOptions,
  connectors,
  type SecureUdpOptions,
  type UdpOptions,
} from "./connectors.ts";

export { PlatformError } from "../../ffi/libc.ts";
export type { AgentStatus } from "./agent_status.ts";
export type { BeatResult, Dropped, Failed, Sent } from "./beat_result.ts";
export type { Client, ClientCounters } from "./client.ts";
export type { ConnectOptions, SecureUdpOptions, UdpOptions } from "./connectors.ts";
export { FakeClient } from "./fake_client.ts";
export type { IsAlive, Repeat } from "./repeat.ts";

const here = connectors(bunPlatform, "datagram");

/**
 * Prepares beats to the observer at `path`. It always returns a client: if there is no observer
 * yet, the beats say so and find it later. One client per process and observer: connecting again
 * gives the same until it is closed.
 *
 * Without `path`: the unix-stream listener at `VARTA_STREAM`, else the listener at `VARTA_SOCKET`,
 * else `/run/varta/varta.sock` for root, `$XDG_RUNTIME_DIR/varta/varta.sock`, or
 * `varta-<uid>/varta.sock` in the temporary directory (`TMPDIR`, else `/tmp`), which is where a
 * varta-watch of the same user listens. A service that runs as another user than the system's
 * varta-watch passes "/run/varta/varta.sock". A relative path is looked up from the working
 * directory at every connect; one that begins with "@" is an abstract name (Linux).
 */
export function connect(path?: string, options?: ConnectOptions): Client {
  return here.connect(path, options);
}

/**
 * Prepares plaintext beats to a `udp` listener. Any program that reaches its port can forge them,
 * and nothing says whether a beat arrived: use it on a loopback or for tests.
 */
export function connectUdp(options: UdpOptions): Client {
  return here.connectUdp(options);
}

/**
 * Prepares beats to a `secure-udp` listener, sealed with a key that all its agents share (60-byte
 * frames), or with one of this process alone (64-byte frames).
 */
export function connectSecureUdp(options: SecureUdpOptions): Client {
  return here.connectSecureUdp(options);
}
