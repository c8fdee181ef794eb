// Reads a state file that anybody may have changed (spec 18 section 2): nothing is taken for true
// before its checksum is, no count or length is believed beyond its bound, and one fault makes all
// of it unreadable. It never throws for what it reads.
import { crc32c } from "../wire/crc32c.ts";
import { ByteReader } from "./bytes.ts";
import {
  CHECKED_FROM,
  KIND_END,
  MAGIC,
  SECTION_BYTES_MAX,
  SECTION_HEAD_BYTES,
  STATE_BYTES_MAX,
  STATE_VERSION,
  TITLE_BYTES,
} from "./format.ts";
import { type Moment, RECORD_KINDS, type RecordKind, type State } from "./records.ts";

type DecodedState =
  | { readonly ok: true; readonly state: State }
  /** Completes "found FOUND". */
  | { readonly ok: false; readonly found: string };

export function decodeState(bytes: Uint8Array): DecodedState {
  const fault = titleFault(bytes);
  if (fault !== undefined) return { ok: false, found: fault };
  if (bytes.length > STATE_BYTES_MAX)
    return { ok: false, found: `more than ${STATE_BYTES_MAX} bytes` };
  const records = new Map<RecordKind, object[]>(KINDS.map((kind) => [kind, []]));
  const found = sectionsFault(bytes, records);
  if (found !== undefined) return { ok: false, found };
  const [moment] = records.get("moment") as Moment[];
  if (moment === undefined) return { ok: false, found: "a state without its moment" };
  return { ok: true, state: { ...Object.fromEntries(records), moment } as unknown as State };
}

/** What is wrong with the first bytes of a file; undefined = it may be a state of this version. */
export function titleFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "an empty file";
  const magic = Buffer.from(bytes.subarray(0, MAGIC.length)).toString("latin1");
  if (magic !== MAGIC) return "a file that is no state";
  if (bytes.length < TITLE_BYTES) return "a file that is cut off";
  const reader = new ByteReader(bytes.subarray(MAGIC.length, TITLE_BYTES));
  const version = reader.u32();
  if (reader.u32() !== crc32c(bytes.subarray(0, TITLE_BYTES - 4)))
    return "a title whose checksum is wrong";
  return version === STATE_VERSION
    ? undefined
    : `a state of version ${version}, want ${STATE_VERSION}`;
}

type Records = Map<RecordKind, object[]>;

const KINDS = [...RECORD_KINDS.keys()];

function sectionsFault(bytes: Uint8Array, records: Records): string | undefined {
  let at = TITLE_BYTES;
  for (let expected = 0; ; expected++) {
    const headEnd = at + SECTION_HEAD_BYTES;
    if (headEnd > bytes.length) return "a file that is cut off";
    const head = new ByteReader(bytes.subarray(at, headEnd));
    const checksum = head.u32();
    const kind = head.u32();
    const number = head.u32();
    const count = head.u32();
    const length = head.u32();
    const end = headEnd + length;
    if (length > SECTION_BYTES_MAX) return "a section that is too long";
    if (end > bytes.length) return "a file that is cut off";
    if (checksum !== crc32c(bytes.subarray(at + CHECKED_FROM, end)))
      return "a section whose checksum is wrong";
    if (number !== expected) return "a section at another place";
    if (kind === KIND_END) return end === bytes.length ? undefined : "bytes after the end";
    const fault = recordsFault(bytes.subarray(headEnd, end), KINDS[kind - 1], count, records);
    if (fault !== undefined) return fault;
    at = end;
  }
}

function recordsFault(
  body: Uint8Array,
  kind: RecordKind | undefined,
  count: number,
  records: Records,
): string | undefined {
  if (kind === undefined) return "records of an unknown kind";
  const { form, countMax } = RECORD_KINDS.get(kind)!;
  const into = records.get(kind)!;
  if (into.length + count > countMax) return `more than ${countMax} records of kind ${kind}`;
  const reader = new ByteReader(body);
  for (let record = 0; record < count; record++) {
    const values = form.get(reader, into.at(-1));
    if (reader.fault !== undefined) return `${reader.fault} (${kind})`;
    into.push(values);
  }
  return reader.isAtEnd ? undefined : `bytes after the last record (${kind})`;
}
