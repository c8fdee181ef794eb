// Reads a state file that anybody may have changed (spec 18 section 2): nothing is taken for true
// before its checksum is, no count or length is believed beyond its bound, and one fault makes all
// of it unreadable. It never throws for what it reads.
import { ALIGN_BYTES, ByteReader } from "./bytes.ts";
import {
  CHECKED_FROM,
  checksumOf,
  KIND_END,
  MAGIC,
  SECTION_BYTES_MAX,
  SECTION_HEAD_BYTES,
  STATE_BYTES_MAX,
  STATE_VERSION,
  TITLE_BYTES,
} from "./format.ts";
import { BYTES_AFTER, MemberRows } from "./member_rows.ts";
import { type Moment, RECORD_KINDS, type RecordKind, type State } from "./records.ts";

export interface ReadState extends Omit<State, "member"> {
  readonly member: MemberRows;
}

type Decoded<Found> =
  | { readonly ok: true; readonly state: Found }
  /** Completes "found FOUND". */
  | { readonly ok: false; readonly found: string };

/** A state with all that it says as plain data. */
export function decodeState(bytes: Uint8Array): Decoded<State> {
  const read = readState(bytes);
  return read.ok ? { ok: true, state: plainState(read.state) } : read;
}

export function plainState(state: ReadState): State {
  return { ...state, member: [...state.member] };
}

/** As `decodeState`, with the members as they are in `bytes`, which are not to change then. */
export function readState(bytes: Uint8Array): Decoded<ReadState> {
  const fault = titleFault(bytes);
  if (fault !== undefined) return { ok: false, found: fault };
  if (bytes.length > STATE_BYTES_MAX)
    return { ok: false, found: `more than ${STATE_BYTES_MAX} bytes` };
  const records: Records = new Map(OTHER_KINDS.map((kind) => [kind, []]));
  const member = new MemberRows(bytes);
  const found = sectionsFault(bytes, records, member);
  if (found !== undefined) return { ok: false, found };
  const [moment] = records.get("moment") as Moment[];
  if (moment === undefined) return { ok: false, found: "a state without its moment" };
  // In the order of the kinds.
  const state = {
    ...Object.fromEntries(KINDS.map((kind) => [kind, records.get(kind)])),
    moment,
    member,
  };
  return { ok: true, state: state as unknown as ReadState };
}

/** What is wrong with the first bytes of a file; undefined = it may be a state of this version. */
export function titleFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "an empty file";
  const magic = Buffer.from(bytes.subarray(0, MAGIC.length)).toString("latin1");
  if (magic !== MAGIC) return "a file that is no state";
  if (bytes.length < TITLE_BYTES) return "a file that is cut off";
  const reader = new ByteReader(bytes.subarray(MAGIC.length, TITLE_BYTES));
  const version = reader.u32();
  if (reader.u32() !== checksumOf(bytes.subarray(0, TITLE_BYTES - 4)))
    return "a title whose checksum is wrong";
  return version === STATE_VERSION
    ? undefined
    : `a state of version ${version}, want ${STATE_VERSION}`;
}

type Records = Map<RecordKind, object[]>;

const KINDS = [...RECORD_KINDS.keys()];
const OTHER_KINDS = KINDS.filter((kind) => kind !== "member");

function sectionsFault(
  bytes: Uint8Array,
  records: Records,
  members: MemberRows,
): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = TITLE_BYTES;
  for (let expected = 0; ; expected++) {
    const headEnd = at + SECTION_HEAD_BYTES;
    if (headEnd > bytes.length) return "a file that is cut off";
    const checksum = view.getUint32(at, true);
    const kind = view.getUint32(at + 4, true);
    const number = view.getUint32(at + 8, true);
    const count = view.getUint32(at + 12, true);
    const length = view.getUint32(at + 16, true);
    const zero = view.getUint32(at + 20, true);
    const end = headEnd + length;
    if (length > SECTION_BYTES_MAX) return "a section that is too long";
    if (end > bytes.length) return "a file that is cut off";
    if (checksum !== checksumOf(bytes.subarray(at + CHECKED_FROM, end)))
      return "a section whose checksum is wrong";
    if (zero !== 0 || length % ALIGN_BYTES !== 0) return "a section of another form";
    if (number !== expected) return "a section at another place";
    if (kind === KIND_END) return end === bytes.length ? undefined : "bytes after the end";
    const kindName = KINDS[kind - 1];
    if (kindName === undefined) return "records of an unknown kind";
    const into = kindName === "member" ? members : records.get(kindName)!;
    const { countMax } = RECORD_KINDS.get(kindName)!;
    if (into.length + count > countMax) return `more than ${countMax} records of kind ${kindName}`;
    const fault =
      into instanceof MemberRows
        ? into.add(headEnd, end, count)
        : recordsFault(bytes.subarray(headEnd, end), kindName, count, into);
    if (fault !== undefined) return `${fault} (${kindName})`;
    at = end;
  }
}

function recordsFault(
  body: Uint8Array,
  kind: RecordKind,
  count: number,
  into: object[],
): string | undefined {
  const { form } = RECORD_KINDS.get(kind)!;
  const reader = new ByteReader(body);
  for (let record = 0; record < count; record++) {
    const values = form.get(reader, into.at(-1));
    if (reader.fault !== undefined) return reader.fault;
    into.push(values);
  }
  return reader.isAtEnd ? undefined : BYTES_AFTER;
}
