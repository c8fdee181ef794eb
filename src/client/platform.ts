// What a client needs of the runtime that it lives in: the clock, and lines to an observer. Under
// Bun they are sockets of our own by FFI, elsewhere those of the runtime, which connects and sends
// in its own time.
import type { Aead } from "../wire/secure_frame.ts";
import type { AgentSystem } from "./agent_system.ts";

export interface Platform {
  readonly system: AgentSystem;
  /** False: this runtime has no Unix datagrams. */
  readonly hasDatagrams: boolean;
  /** Seals faster than our own cipher; undefined = this runtime has none. */
  readonly aead: Aead | undefined;
  effectiveUid(): number;
  local(path: string, kind: LocalKind): OpenLine;
  udp(to: UdpTarget): OpenLine;
}

/** "either": whichever kind the listener at the path has. */
export type LocalKind = "datagram" | "stream" | "either";

export interface UdpTarget {
  /** An IP address as the caller wrote it, and its bytes. */
  readonly host: string;
  readonly bytes: Uint8Array;
  /** The interface of a link-local address; 0 = none. */
  readonly scopeId: number;
  readonly port: number;
}

/**
 * A line, or -errno. `opened` is called once, when the line is connected: at once, or later if the
 * runtime takes its time.
 */
export type OpenLine = (opened: () => void) => Line | number;

/** What beats go through. Every call returns at once, and none throws. */
export interface Line {
  /**
   * At least 0 if `datagram` was taken, else -errno: EINPROGRESS while the line is being connected.
   * What was sent before and failed later is told here, too. `datagram` may be written anew
   * afterwards.
   */
  send(datagram: Uint8Array): number;
  /** Ends the line; what was taken still goes out. */
  end(): void;
  /** Gives it up. */
  drop(): void;
}
