// The 64-byte control datagram, hello and bye (spec 01 section 9). As of a beat, `decodeControl` is
// the form for the receive arena: it is total, allocates nothing, checks in place and returns a
// code, and the caller reads the fields where they lie. `encodeControl` is for who sends one.
import { assert } from "../base/assert.ts";
import { U32_MAX, u64Hi, u64Lo } from "../base/u64.ts";
import { ANNOUNCED_NAME_BYTES, announcedNameText, isAnnouncedName } from "./announced_name.ts";
import { crc32cWords } from "./crc32c.ts";
import { NONCE_TERMINAL, PID_INIT, PID_MIN } from "./frame.ts";

export const CONTROL_BYTES = 64;

export const CONTROL_HELLO = 1;
export const CONTROL_BYE = 2;

/** Why 64 bytes are no control datagram; 0 = they are one. Indexes of the names. */
export const CONTROL_OK = 0;
const CONTROL_BAD_MAGIC = 1;
export const CONTROL_BAD_VERSION = 2;
export const CONTROL_BAD_CRC = 3;
const CONTROL_BAD_KIND = 4;
const CONTROL_BAD_PID = 5;
const CONTROL_BAD_NONCE = 6;
const CONTROL_BAD_NAME = 7;

export const CONTROL_ERROR_NAMES = [
  "",
  "BadMagic",
  "BadVersion",
  "BadCrc",
  "BadKind",
  "BadPid",
  "BadNonce",
  "BadName",
] as const;

/** The bytes 56 43 ("VC") as the low half of the little-endian head word. */
export const CONTROL_MAGIC = 0x4356;
export const CONTROL_VERSION = 1;

const WORD_HEAD = 0;
const WORD_PID = 1;
const WORD_NONCE_LO = 2;
const WORD_NONCE_HI = 3;
const WORD_INTERVAL = 4;
const NAME_AT = 20;
const WORD_CRC = 15;

/** A receive arena by words and by bytes: two views of one memory. */
interface ArenaViews {
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
}

/**
 * CONTROL_OK, or the code of the first rule that the datagram at word `w` breaks. The order is
 * normative. `pidMin` is PID_INIT on a listener for containers.
 */
export function decodeControl({ words, bytes }: ArenaViews, w: number, pidMin = PID_MIN): number {
  const head = words[w + WORD_HEAD]!;
  if ((head & 0xffff) !== CONTROL_MAGIC) return CONTROL_BAD_MAGIC;
  if (((head >>> 16) & 0xff) !== CONTROL_VERSION) return CONTROL_BAD_VERSION;
  if (words[w + WORD_CRC]! !== crc32cWords(words, w, WORD_CRC)) return CONTROL_BAD_CRC;
  const kind = head >>> 24;
  if (kind !== CONTROL_HELLO && kind !== CONTROL_BYE) return CONTROL_BAD_KIND;
  if (words[w + WORD_PID]! < pidMin) return CONTROL_BAD_PID;
  if (words[w + WORD_NONCE_HI]! === U32_MAX && words[w + WORD_NONCE_LO]! === U32_MAX)
    return CONTROL_BAD_NONCE;
  // A bye says nothing but that: what a later program may write into its other fields is not read.
  if (kind === CONTROL_HELLO && !hasGoodName(bytes, w * 4 + NAME_AT)) return CONTROL_BAD_NAME;
  return CONTROL_OK;
}

/** Fields of a datagram that `decodeControl` has taken. */
export function controlKind(words: Uint32Array, w: number): number {
  return words[w + WORD_HEAD]! >>> 24;
}

export function controlPid(words: Uint32Array, w: number): number {
  return words[w + WORD_PID]!;
}

export function controlNonceHi(words: Uint32Array, w: number): number {
  return words[w + WORD_NONCE_HI]!;
}

export function controlNonceLo(words: Uint32Array, w: number): number {
  return words[w + WORD_NONCE_LO]!;
}

/** Of a hello; 0 = it asks for nothing. */
export function controlIntervalMs(words: Uint32Array, w: number): number {
  return words[w + WORD_INTERVAL]!;
}

/** Of a hello; "" = it announces none. Cold side: it makes a string. */
export function controlName(bytes: Uint8Array, w: number): string {
  const at = w * 4 + NAME_AT;
  return announcedNameText(bytes, at, nameLength(bytes, at));
}

interface Bye {
  readonly kind: "bye";
  /** u32; the sender's pid in its own pid namespace. */
  readonly pid: number;
  /** u64, below `NONCE_TERMINAL`; of the stream of its beats. */
  readonly nonce: bigint;
}

interface Hello extends Omit<Bye, "kind"> {
  readonly kind: "hello";
  /** u32; 0 = nothing is asked for. */
  readonly intervalMs: number;
  /** "" = none is announced. */
  readonly name: string;
}

export type Control = Hello | Bye;

/** The 64 bytes of `control`. Throws RangeError for what `decodeControl` would refuse. */
export function encodeControl(control: Control): Uint8Array {
  const { kind, pid, nonce } = control;
  checkU32("pid", pid, PID_INIT);
  if (nonce < 0n || nonce >= NONCE_TERMINAL)
    throw fault("nonce", `in 0..${NONCE_TERMINAL - 1n}`, `${nonce}`);
  const words = new Uint32Array(CONTROL_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  const code = kind === "hello" ? CONTROL_HELLO : CONTROL_BYE;
  words[WORD_HEAD] = CONTROL_MAGIC | (CONTROL_VERSION << 16) | (code << 24);
  words[WORD_PID] = pid;
  words[WORD_NONCE_LO] = u64Lo(nonce);
  words[WORD_NONCE_HI] = u64Hi(nonce);
  if (kind === "hello") {
    checkU32("interval", control.intervalMs, 0);
    words[WORD_INTERVAL] = control.intervalMs;
    writeName(bytes, control.name);
  }
  words[WORD_CRC] = crc32cWords(words, 0, WORD_CRC);
  return bytes;
}

function writeName(bytes: Uint8Array, name: string): void {
  const text = new TextEncoder().encode(name);
  if (text.length > 0 && !isAnnouncedName(text, 0, text.length))
    throw fault(
      "name",
      `1 to ${ANNOUNCED_NAME_BYTES} letters, digits, "_", ".", "@", ":" or "-", not digits alone and not "other"`,
      JSON.stringify(name),
    );
  bytes.set(text, NAME_AT);
}

function checkU32(field: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min && value <= U32_MAX) return;
  throw fault(field, `an integer in ${min}..${U32_MAX}`, `${value}`);
}

function fault(field: string, wanted: string, found: string): RangeError {
  return new RangeError(
    `Cannot encode control datagram: ${field} must be ${wanted}: current value is ${found}`,
  );
}

function hasGoodName(bytes: Uint8Array, at: number): boolean {
  const length = nameLength(bytes, at);
  if (length > 0 && !isAnnouncedName(bytes, at, length)) return false;
  for (let i = at + length; i < at + ANNOUNCED_NAME_BYTES; i++) if (bytes[i]! !== 0) return false;
  return true;
}

/** The bytes before the first NUL. */
function nameLength(bytes: Uint8Array, at: number): number {
  let length = 0;
  while (length < ANNOUNCED_NAME_BYTES && bytes[at + length]! !== 0) length += 1;
  return length;
}

assert(NAME_AT + ANNOUNCED_NAME_BYTES === WORD_CRC * 4, "the name ends where the CRC begins");
assert((WORD_CRC + 1) * 4 === CONTROL_BYTES, "the CRC ends the datagram");
