// Whether the chain of a row continues the row before it (spec 11 section 1): `audit verify` asks
// it of every row, the start of the last one.
import { CHAIN_START, type ChainKey, chainOf } from "./chain.ts";
import { type AuditRow, bootLink, bootReason } from "./row.ts";

/**
 * True if the chain of `row` continues `previous`, undefined = there is no row before it, under
 * `key` or without one.
 */
export function continues(
  row: AuditRow,
  previous: Uint8Array | undefined,
  key: ChainKey | undefined,
): boolean {
  const { kind, body, chain } = row;
  if (chain === undefined) return false;
  return startsOf(row, previous).some((start) =>
    chainOf({ kind, previous: start, body, key }).equals(chain),
  );
}

/** True if a boot record with this reason names the chain that it continues. */
export function isLinkedReason(reason: string): boolean {
  return ["resume", "rotation", "keyed", "unkeyed"].includes(reason);
}

function startsOf(row: AuditRow, previous: Uint8Array | undefined): readonly Uint8Array[] {
  const before = previous ?? CHAIN_START;
  if (row.kind !== "boot") return [before];
  const reason = bootReason(row);
  if (isLinkedReason(reason)) return [bootLink(row) ?? CHAIN_START];
  if (reason === "fresh" || reason === "legacy_v1") return [CHAIN_START];
  // The daemon that wrote it may have been unable to read what can be read now.
  return reason === "schema_drift" ? [before, CHAIN_START] : [before];
}
