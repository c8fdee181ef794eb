/// <reference lib="esnext.disposable" />
// The types of the package, for import and for require. A test holds them to the code.

/** What an agent may say of itself. */
export type AgentStatus = "ok" | "degraded" | "critical";

/** What became of a beat. */
export type BeatResult =
  | { readonly kind: "sent"; readonly reason: ""; readonly text: string }
  | {
      /** It passes by itself. */
      readonly kind: "dropped";
      readonly reason: "queue_full" | "no_observer" | "connecting" | "rate" | "closed";
      readonly text: string;
    }
  | {
      /** Something has to be changed. */
      readonly kind: "failed";
      readonly reason: string;
      readonly text: string;
    };

/** Whether to beat, or with which status. */
export type IsAlive = () => boolean | AgentStatus | Promise<boolean | AgentStatus>;

export interface Repeat {
  stop(): void;
}

export interface ClientCounters {
  readonly sent: number;
  /** Of every reason. */
  readonly dropped: number;
  readonly queueFull: number;
  readonly noObserver: number;
  readonly failed: number;
  readonly connects: number;
}

/** The calls that a client and its fake have in common. */
interface Agent {
  /**
   * One beat. It never blocks and never throws; a beat that was not sent is not queued. `payload`
   * is an integer in 0..4294967295. Bound: `setInterval(client.beat, 1000)` works.
   */
  readonly beat: (status?: AgentStatus, payload?: number) => BeatResult;
  /** Says that this process is about to die. */
  crashBeat(payload?: number): BeatResult;
  /** Beats at once and each `intervalMs` while `isAlive()` is true or says a status. */
  every(intervalMs: number, isAlive?: IsAlive): Repeat;
  /** `work` with a beat after each call that did not fail. */
  wrap<This, Args extends unknown[], Result>(
    work: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result;
  /** An uncaught error sends a crash beat; the process then dies as it would have. */
  installCrashBeat(): void;
  readonly isClosed: boolean;
  /**
   * Says bye: this process owes no beats, and its end is a clean one. Later beats are dropped with
   * reason "closed".
   */
  close(): void;
  /** Closes without a bye: the end of a `using` block is not known to be a good one. */
  [Symbol.dispose](): void;
}

export interface Client extends Agent {
  /** Path of the observer's socket, or HOST:PORT. */
  readonly endpoint: string;
  readonly counters: ClientCounters;
  /** Says hello with the next beat. */
  introduce(name?: string, intervalMs?: number): void;
  readonly pid: number;
  readonly nextNonce: bigint;
}

export interface ConnectOptions {
  /** Least milliseconds between two attempts to connect; default 100. */
  readonly reconnectMs?: number;
  /** Warn of causes for which beats were not sent; on by default. */
  readonly warn?: boolean;
  /** What this process wants to be called, where its rule says `announce`. */
  readonly name?: string;
  /** How often it beats; three times that is the threshold it asks for. */
  readonly intervalMs?: number;
}

export interface UdpOptions extends ConnectOptions {
  /** An IP address: a name is not looked up. */
  readonly host: string;
  readonly port: number;
}

/** One of two keys, 32 bytes or 64 hex digits. */
export interface SecureUdpOptions extends UdpOptions {
  readonly key?: Uint8Array | string;
  readonly masterKey?: Uint8Array | string;
}

/** The client of a listener of this machine, by default the one at VARTA_STREAM. */
export function connect(path?: string, options?: ConnectOptions): Client;
/** The client of a plain `udp` listener: any sender can forge such beats. */
export function connectUdp(options: UdpOptions): Client;
/** The client of a `secure-udp` listener. */
export function connectSecureUdp(options: SecureUdpOptions): Client;

/** For unit tests: keeps what was beaten. */
export class FakeClient implements Agent {
  readonly beats: { status: AgentStatus; payload: number }[];
  readonly crashes: number[];
  result: BeatResult;
  isClosed: boolean;
  readonly beat: (status?: AgentStatus, payload?: number) => BeatResult;
  crashBeat(payload?: number): BeatResult;
  every(intervalMs: number, isAlive?: IsAlive): Repeat;
  wrap<This, Args extends unknown[], Result>(
    work: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result;
  installCrashBeat(): void;
  close(): void;
  [Symbol.dispose](): void;
}
