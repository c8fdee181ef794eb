// The complete, read-only configuration in internal units (nanoseconds, bytes, numbers). Every
// field is set: defaults are applied in this folder and nowhere else. Its types come from the rows
// of the keys (keys/tables.ts), whose help says what each field means.
import type { ConfigOf } from "./keys/key.ts";
import type { LISTENER_KEYS, ListenerKind } from "./keys/listener_keys.ts";
import type { TABLES, TableName } from "./keys/tables.ts";

export type Config = { readonly [T in TableName]: ConfigOf<(typeof TABLES)[T]> } & {
  /**
   * Neither a file nor --socket: the one listener and the metrics address are defaults, and another
   * metrics port may be taken if that one is in use.
   */
  readonly bareRun: boolean;
  readonly listeners: readonly ListenerConfig[];
};

export type LogLevel = Config["log"]["level"];
export type LogFormat = Config["log"]["format"];

type ListenerOf<K extends ListenerKind> = ConfigOf<(typeof LISTENER_KEYS)[K]>;

export type SecureUdpListenerConfig = ListenerOf<"secure-udp">;
export type ListenerConfig = ListenerOf<"unix"> | ListenerOf<"udp"> | SecureUdpListenerConfig;
