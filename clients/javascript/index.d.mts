export type AgentStatus = "ok" | "degraded" | "critical";

/** What became of a beat: "sent" = the runtime took it. */
export interface Outcome {
  readonly kind: "sent" | "dropped" | "failed";
  readonly reason: string;
  /** One sentence for a log. */
  readonly text: string;
}

export type IsAlive = () => boolean | AgentStatus | Promise<boolean | AgentStatus>;

export interface Client {
  readonly beat: (status?: AgentStatus, payload?: number) => Outcome;
  readonly counters: Readonly<Record<"sent" | "dropped" | "failed" | "connects", number>>;
  readonly isClosed: boolean;
  crashBeat(payload?: number): Outcome;
  every(intervalMs: number, isAlive?: IsAlive): { stop(): void };
  wrap<Args extends unknown[], Result>(work: (...args: Args) => Result): (...args: Args) => Result;
  installCrashBeat(): void;
  close(): void;
}

export function connect(path?: string): Client;
export function connectUdp(to: { host: string; port: number }): Client;
export function connectSecureUdp(to: {
  host: string;
  port: number;
  key?: string | Uint8Array;
  masterKey?: string | Uint8Array;
}): Client;

export class FakeClient implements Client {
  readonly beats: { status: AgentStatus; payload: number }[];
  readonly crashes: number[];
  readonly beat: (status?: AgentStatus, payload?: number) => Outcome;
  readonly counters: Readonly<Record<"sent" | "dropped" | "failed" | "connects", number>>;
  readonly isClosed: boolean;
  crashBeat(payload?: number): Outcome;
  every(intervalMs: number, isAlive?: IsAlive): { stop(): void };
  wrap<Args extends unknown[], Result>(work: (...args: Args) => Result): (...args: Args) => Result;
  installCrashBeat(): void;
  close(): void;
}
