// What the first line of a file, and headers further down, say of the rows below them (spec 11
// section 5). A header is under no chain, so one changed byte of it must never hide a row: a
// section that is not of this schema is a finding, and a row inside it that can be read is checked
// like any other.
import { AUDIT_HEADER, AUDIT_HEADER_V1 } from "./record.ts";

/**
 * "v2" = of this program, "legacy" = of the Rust observer before it had a chain, "unknown" = by
 * some other header, "none".
 */
export type SectionKind = "v2" | "legacy" | "unknown" | "none";

const HEADER_OF_ANY_VERSION = "# varta-watch recovery audit v";

/** The section that a comment line begins; undefined = it is a note. */
export function sectionOf(comment: string): SectionKind | undefined {
  if (comment === AUDIT_HEADER) return "v2";
  if (comment === AUDIT_HEADER_V1) return "legacy";
  return comment.startsWith(HEADER_OF_ANY_VERSION) ? "unknown" : undefined;
}

/** What is said of a section, before its place. */
export function sectionText(kind: SectionKind, header: string): string {
  if (kind === "legacy") return "a section of schema v1, whose rows have no chain";
  if (kind === "none") return "no header: the file begins with other lines";
  return `a section under an unknown header ${JSON.stringify(header.slice(0, 64))}`;
}
