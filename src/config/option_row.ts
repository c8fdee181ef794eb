// A row of the tables of options: which key an option sets, under which heading help shows it, and
// its words there. How its value is written, and its default, come from the key.
import type { ListenerKind } from "./keys/listener_keys.ts";
import type { TableName } from "./keys/tables.ts";

export type OptionTarget =
  | { readonly to: "table"; readonly table: TableName; readonly key: string }
  /** Sets the key in every listener of these kinds. */
  | { readonly to: "listeners"; readonly kinds: readonly ListenerKind[]; readonly key: string }
  /** Replaces the listeners of these kinds by one. */
  | { readonly to: "listener"; readonly key: string }
  | { readonly to: "nothing"; readonly accepts: readonly string[] | readonly [number, number] };

/** The headings of the help screen, in its order. */
export const OPTION_GROUPS = [
  "Listening",
  "Judging",
  "Limits",
  "Recovery",
  "Metrics and export",
  "Liveness",
  "UDP",
  "Audit",
  "Log",
  "Accepted without effect",
] as const;

type OptionGroup = (typeof OPTION_GROUPS)[number];

export interface OptionRow {
  readonly group: OptionGroup;
  /** Long name without dashes. */
  readonly name: string;
  readonly target: OptionTarget;
  /** "{default}" stands for the default of the key. */
  readonly help: string;
  /** The word for the value in help, where the form of the key has no better one. */
  readonly value?: string | undefined;
}

export function row(
  group: OptionGroup,
  name: string,
  target: OptionTarget,
  help: string,
  value?: string,
): OptionRow {
  return { group, name, target, help, value };
}

export function set(table: TableName, key: string): OptionTarget {
  return { to: "table", table, key };
}

export function each(kinds: readonly ListenerKind[], key: string): OptionTarget {
  return { to: "listeners", kinds, key };
}

export function one(key: string): OptionTarget {
  return { to: "listener", key };
}
