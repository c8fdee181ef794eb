// A key of the checked configuration as the cross-key rules speak of it: which option or file line
// is to blame for its value, and whether the file has a part in a conflict (exit 78) or options
// alone are at fault (exit 64).
import type { CheckedDocument, CheckedListener, CheckedRow } from "./check_document.ts";
import type { Anchor, Fault, Path } from "../problems/fault.ts";
import type { ValueSetter } from "../load_result.ts";
import type { TableName } from "../keys/tables.ts";

export type KeyRef =
  | { readonly table: TableName; readonly key: string }
  | { readonly listener: CheckedListener; readonly key: string }
  | { readonly row: CheckedRow; readonly key: string };

export interface Conflict {
  readonly at: KeyRef;
  readonly anchor: Anchor;
  readonly found: string;
  readonly want: string;
  /** Replaces `want` if an option is to blame, so that the cure is an option too. */
  readonly wantOption?: string;
  readonly foundOption?: string;
  /** The other keys of the conflict. */
  readonly involved?: readonly KeyRef[];
}

export function conflictFault(document: CheckedDocument, conflict: Conflict): Fault {
  const { at, anchor } = conflict;
  const option = optionOf(document, at) ?? ("listener" in at ? at.listener.madeBy : undefined);
  const byOption = option !== undefined;
  const all = [at, ...(conflict.involved ?? [])];
  return {
    path: refPath(at),
    anchor,
    found: (byOption ? conflict.foundOption : undefined) ?? conflict.found,
    want: (byOption ? conflict.wantOption : undefined) ?? conflict.want,
    option,
    onlyOptions: byOption && all.every((ref) => setterOf(document, ref)?.from !== "file"),
  };
}

/** Undefined = the value is a default. */
export function setterOf(document: CheckedDocument, ref: KeyRef): ValueSetter | undefined {
  const option = optionOf(document, ref);
  if (option !== undefined) return { from: "option", option };
  const { given } = holderOf(document, ref);
  return given.has(ref.key) || given.has(`${ref.key}_ms`) ? { from: "file" } : undefined;
}

export function refPath(ref: KeyRef): Path {
  if ("table" in ref) return [ref.table, ref.key];
  return [...("row" in ref ? ref.row : ref.listener).path, ref.key];
}

function holderOf(document: CheckedDocument, ref: KeyRef): { readonly given: Set<string> } {
  if ("table" in ref) return document.tables[ref.table];
  return "row" in ref ? ref.row : ref.listener;
}

function optionOf(document: CheckedDocument, ref: KeyRef): string | undefined {
  if ("listener" in ref) return ref.listener.options.get(ref.key);
  return "row" in ref ? undefined : document.options.get(`${ref.table}.${ref.key}`);
}
