// Client library for agents: a 32-byte heartbeat to the local varta-watch, from any Bun program.
//
//   import { connect } from "varta-watch/client";
//   const client = connect();
//   client.installCrashBeat();
//   setInterval(client.beat, 1000).unref();
//
// Beats never block and never throw; every result is a value. Importing this module opens nothing, but it throws
// `PlatformError` where the C library cannot be called (bun:ffi needs the JIT). docs/client.md has the rules.
import { effectiveUid } from "../../ffi/process.ts";
import { defaultSocket } from "../config/runtime_directory.ts";
import { agentSystem } from "./agent_system.ts";
import { beatStreamFor } from "./beat_stream.ts";
import { Client } from "./client.ts";

export { PlatformError } from "../../ffi/libc.ts";
export type { BeatResult, Dropped, Failed, Sent } from "./beat_result.ts";
export type { AgentStatus, Client, ClientCounters } from "./client.ts";

export interface ConnectOptions {
  /** Least milliseconds between two attempts to connect while there is no observer; 0 = at every beat. Default 100. */
  readonly reconnectMs?: number;
}

/** One attempt costs about two microseconds: ten per second are nothing, one per beat of a tight loop would be. */
const RECONNECT_MS_DEFAULT = 100;

/**
 * Prepares beats to the observer at `path`. It always returns a client: if there is no observer yet, the beats say so
 * and find it later. One client per process and observer is enough; two share one nonce stream.
 *
 * Without `path`: `/run/varta/varta.sock` for root, else `$XDG_RUNTIME_DIR/varta/varta.sock`, else
 * `varta-<uid>/varta.sock` in the temporary directory (`TMPDIR`, else `/tmp`), which is where a varta-watch of the same
 * user listens. A service that runs as another user than the system's varta-watch passes "/run/varta/varta.sock".
 * A relative path is looked up from the working directory at every connect; one that begins with "@" is an abstract
 * name (Linux).
 */
export function connect(path?: string, options?: ConnectOptions): Client {
  const socketPath = path === undefined ? defaultSocket(effectiveUid(), process.env).path : path;
  return new Client(socketPath, {
    stream: beatStreamFor(typeof socketPath === "string" ? socketPath : ""),
    system: agentSystem,
    reconnectMs: reconnectMs(options),
  });
}

function reconnectMs(options: ConnectOptions | undefined): number {
  const value = options?.reconnectMs;
  return typeof value === "number" && value >= 0 ? value : RECONNECT_MS_DEFAULT;
}
