// The few D-Bus messages that are needed to ask one question: method calls without arguments or
// with one string are written, and of what comes back the kind and the properties are read. What is
// read was written by others: every length is checked before it is used, and nothing is taken from
// a message that breaks the rules of the format.
import { assert } from "../base/assert.ts";

const LITTLE_ENDIAN = 0x6c;
const BIG_ENDIAN = 0x42;
const METHOD_CALL = 1;
export const METHOD_RETURN = 2;
export const METHOD_ERROR = 3;
/** Nobody is to be started in order to answer. */
const NO_AUTO_START = 2;
const PROTOCOL = 1;
const FIXED_HEADER_BYTES = 16;
/** What the specification allows; the buffer of the reader is the bound that counts. */
const MESSAGE_BYTES_MAX = 2 ** 27;

const PATH = 1;
const INTERFACE = 2;
const MEMBER = 3;
const ERROR_NAME = 4;
const REPLY_SERIAL = 5;
const DESTINATION = 6;
const SIGNATURE = 8;

/** Sizes, and alignments, of the types that have one. */
const FIXED: Readonly<Record<string, number>> = {
  ...{ y: 1, b: 4, n: 2, q: 2, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8 },
};
/** Those that are aligned otherwise than by 4. */
const ALIGNED: Readonly<Record<string, number>> = { "(": 8, "{": 8, g: 1, v: 1 };
/** Types inside of types; systemd's own have four. */
const DEPTH_MAX = 16;

interface MethodCall {
  readonly serial: number;
  readonly destination: string;
  readonly path: string;
  readonly interfaceName: string;
  readonly member: string;
  /** Undefined = it has no argument. */
  readonly argument?: string;
}

/** The bytes of a call. */
export function methodCall(call: MethodCall): Uint8Array {
  const { serial, destination, path, interfaceName, member, argument } = call;
  const body = new Writer();
  if (argument !== undefined) body.text(argument);
  const fields = new Writer();
  fields.field(PATH, "o", path);
  fields.field(INTERFACE, "s", interfaceName);
  fields.field(MEMBER, "s", member);
  fields.field(DESTINATION, "s", destination);
  if (argument !== undefined) fields.field(SIGNATURE, "g", "s");
  const message = new Writer();
  message.bytes.push(LITTLE_ENDIAN, METHOD_CALL, NO_AUTO_START, PROTOCOL);
  message.u32(body.bytes.length);
  message.u32(serial);
  message.u32(fields.bytes.length);
  message.bytes.push(...fields.bytes);
  message.align(8);
  message.bytes.push(...body.bytes);
  return Uint8Array.from(message.bytes);
}

class Writer {
  readonly bytes: number[] = [];

  align(to: number): void {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
  }

  u32(value: number): void {
    this.align(4);
    this.bytes.push(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24);
  }

  text(text: string): void {
    assert(/^[\x20-\x7e]*$/.test(text), "what is asked for is ASCII");
    this.u32(text.length);
    this.bytes.push(...Buffer.from(text, "latin1"), 0);
  }

  field(code: number, type: "o" | "s" | "g", value: string): void {
    this.align(8);
    this.bytes.push(code, 1, type.charCodeAt(0), 0);
    if (type === "g") this.bytes.push(value.length, ...Buffer.from(value, "latin1"), 0);
    else this.text(value);
  }
}

/** Bytes of the message that begins with `bytes`; 0 = more are needed to know, -1 = it is none. */
export function messageSize(bytes: Uint8Array): number {
  if (bytes.length < FIXED_HEADER_BYTES) return 0;
  const reader = new Reader(bytes, isLittle(bytes));
  if (bytes[0] !== LITTLE_ENDIAN && bytes[0] !== BIG_ENDIAN) return -1;
  if (bytes[3] !== PROTOCOL) return -1;
  reader.at = 4;
  const bodyBytes = reader.u32();
  reader.at = 12;
  const fieldBytes = reader.u32();
  const size = FIXED_HEADER_BYTES + Math.ceil(fieldBytes / 8) * 8 + bodyBytes;
  return size > MESSAGE_BYTES_MAX ? -1 : size;
}

export interface Message {
  readonly type: number;
  /** Of the call that it answers; 0 = it answers none. */
  readonly replySerial: number;
  /** "" unless it is an error. */
  readonly errorName: string;
  readonly signature: string;
  readonly body: Reader;
}

/** The whole message in `bytes`; undefined = it breaks the rules of the format. */
export function readMessage(bytes: Uint8Array): Message | undefined {
  const little = isLittle(bytes);
  const reader = new Reader(bytes, little);
  reader.at = 12;
  const endAt = reader.u32() + FIXED_HEADER_BYTES;
  const found = { replySerial: 0, errorName: "", signature: "" };
  while (!reader.failed && reader.at < endAt) {
    reader.align(8);
    const code = reader.byte();
    const type = reader.signature();
    if (code === REPLY_SERIAL && type === "u") found.replySerial = reader.u32();
    else if (code === ERROR_NAME && type === "s") found.errorName = reader.text();
    else if (code === SIGNATURE && type === "g") found.signature = reader.signature();
    else reader.skip(type);
  }
  if (reader.failed || reader.at !== endAt) return undefined;
  const bodyAt = Math.ceil(endAt / 8) * 8;
  if (bodyAt > bytes.length) return undefined;
  return { type: bytes[1]!, ...found, body: new Reader(bytes.subarray(bodyAt), little) };
}

/** Of the types that are of use: the properties of others are passed over. */
export type Property = number | string;

/**
 * The properties in a body of signature a{sv} that are called one of `names`; undefined = it breaks
 * the rules of the format.
 */
export function readProperties(
  body: Reader,
  names: ReadonlySet<string>,
): ReadonlyMap<string, Property> | undefined {
  const found = new Map<string, Property>();
  const bytes = body.u32();
  body.align(8);
  const endAt = body.at + bytes;
  while (!body.failed && body.at < endAt) {
    body.align(8);
    const name = body.text();
    const type = body.signature();
    const value = names.has(name) ? body.value(type) : undefined;
    if (value === undefined) body.skip(type);
    else found.set(name, value);
  }
  return body.failed || body.at !== endAt ? undefined : found;
}

/** Reads values one after the other; `failed` = what was there is not what it should be. */
class Reader {
  at = 0;
  failed = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(bytes: Uint8Array, little: boolean) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = little;
  }

  align(to: number): void {
    this.at = Math.ceil(this.at / to) * to;
  }

  byte(): number {
    return this.#has(1) ? this.#bytes[this.at++]! : 0;
  }

  u32(): number {
    this.align(4);
    if (!this.#has(4)) return 0;
    this.at += 4;
    return this.#view.getUint32(this.at - 4, this.#little);
  }

  text(): string {
    return this.#characters(this.u32());
  }

  signature(): string {
    return this.#characters(this.byte());
  }

  /** A number, or a text; undefined = it is of another type, and is not read. */
  value(type: string): Property | undefined {
    if (type === "s") return this.text();
    if (type === "u") return this.u32();
    if (type === "i") return this.u32() | 0;
    return type === "t" ? this.#u64() : undefined;
  }

  /** Passes what has the types of `signature`. */
  skip(signature: string): void {
    for (let at = 0; at < signature.length && !this.failed; ) at = this.#skipOne(signature, at, 0);
  }

  // Beyond 2^53 it is rounded: such a time is no time.
  #u64(): number {
    this.align(8);
    if (!this.#has(8)) return 0;
    this.at += 8;
    return Number(this.#view.getBigUint64(this.at - 8, this.#little));
  }

  /** Passes the one type that begins at `at`, and returns where the next begins. */
  #skipOne(signature: string, at: number, depth: number): number {
    const type = signature[at] ?? "";
    const size = FIXED[type];
    if (depth > DEPTH_MAX) this.failed = true;
    else if (size !== undefined) {
      this.align(size);
      if (this.#has(size)) this.at += size;
    } else if (type === "s" || type === "o") this.text();
    else if (type === "g") this.signature();
    else if (type === "v") this.#skipVariant(depth);
    else if (type === "a") return this.#skipArray(signature, at + 1);
    else if (type === "(") return this.#skipStruct(signature, at + 1, depth);
    else this.failed = true;
    return at + 1;
  }

  #skipVariant(depth: number): void {
    const type = this.signature();
    if (this.failed) return;
    if (this.#skipOne(type, 0, depth + 1) !== type.length) this.failed = true;
  }

  // Its length says where it ends, so what is in it is not looked at.
  #skipArray(signature: string, at: number): number {
    const bytes = this.u32();
    const element = signature[at] ?? "";
    this.align(ALIGNED[element] ?? FIXED[element] ?? 4);
    if (this.#has(bytes)) this.at += bytes;
    return endOfType(signature, at);
  }

  #skipStruct(signature: string, at: number, depth: number): number {
    this.align(8);
    let next = at;
    while (!this.failed && signature[next] !== ")")
      next = this.#skipOne(signature, next, depth + 1);
    return next + 1;
  }

  #characters(length: number): string {
    // With the zero that ends it.
    if (!this.#has(length + 1)) return "";
    const text = Buffer.from(this.#bytes.subarray(this.at, this.at + length)).toString("latin1");
    this.at += length + 1;
    return text;
  }

  #has(size: number): boolean {
    if (this.at + size > this.#bytes.length) this.failed = true;
    return !this.failed;
  }
}

/** Where the one type that begins at `at` ends. */
function endOfType(signature: string, at: number): number {
  let next = at;
  while (signature[next] === "a") next += 1;
  let open = 0;
  do {
    const type = signature[next];
    if (type === "(" || type === "{") open += 1;
    if (type === ")" || type === "}") open -= 1;
    next += 1;
  } while (open > 0 && next < signature.length);
  return next;
}

function isLittle(bytes: Uint8Array): boolean {
  return bytes[0] === LITTLE_ENDIAN;
}
