// The complete, read-only configuration in internal units (nanoseconds, bytes, numbers). Every
// field is set: defaults are applied in this folder and nowhere else. Its types come from the rows
// of the keys (keys/tables.ts), whose help says what each field means.
import type { AGENT_KEYS } from "./keys/agent_keys.ts";
import type { ConfigOf } from "./keys/key.ts";
import type { LISTENER_KEYS, ListenerKind } from "./keys/listener_keys.ts";
import type { TABLES, TableName } from "./keys/tables.ts";

export type Config = { readonly [T in TableName]: ConfigOf<(typeof TABLES)[T]> } & {
  /**
   * Neither a file nor --socket: the one listener and the metrics address are defaults, and another
   * metrics port may be taken if that one is in use.
   */
  readonly bareRun: boolean;
  /**
   * Started without a file: what has come after the Rust observer is off (spec 07 section 1).
   */
  readonly optionsAlone: boolean;
  readonly listeners: readonly ListenerConfig[];
  /** In the order of the file: the first that takes a member is its rule. */
  readonly agents: readonly AgentRule[];
  /** Each with what it has from [recovery]. */
  readonly plans: readonly PlanConfig[];
};

/** Which members it takes, their name and their policy. */
export type AgentRule = ConfigOf<typeof AGENT_KEYS>;

/** [recovery], as one of its plans has it. */
export type PlanConfig = Config["recovery"] & { readonly name: string };

export type LogLevel = Config["log"]["level"];
export type LogFormat = Config["log"]["format"];

type ListenerOf<K extends ListenerKind> = ConfigOf<(typeof LISTENER_KEYS)[K]>;

export type ListenerConfig =
  | ListenerOf<"unix">
  | ListenerOf<"unix-stream">
  | ListenerOf<"notify">
  | ListenerOf<"udp">
  | ListenerOf<"secure-udp">;
