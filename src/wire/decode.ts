// Reads frames (spec 01 section 4). `decodeFrame` is the hot form: it checks a frame in place and
// returns a code; the caller then reads the fields where they lie. It is total: it never throws,
// allocates or reads past the eight words. `decode` is the public edge, a discriminated union with
// bigint fields.
import { FRAME_BYTES } from "../base/limits.ts";
import { U32_MAX, u64FromPair } from "../base/u64.ts";
import { crc32cFrame } from "./crc32c.ts";
import {
  DECODE_BAD_CRC,
  DECODE_BAD_MAGIC,
  DECODE_BAD_NONCE,
  DECODE_BAD_PID,
  DECODE_BAD_STATUS,
  DECODE_BAD_TIMESTAMP,
  DECODE_BAD_VERSION,
  DECODE_OK,
  DECODE_STALL_ON_WIRE,
  type DecodeErrorName,
  decodeErrorHi,
  decodeErrorLo,
  decodeErrorName,
  decodeErrorSecond,
  decodeErrorText,
} from "./decode_error.ts";
import {
  FRAME_WORDS,
  type Frame,
  frameIsTerminal,
  frameStatus,
  MAGIC,
  PID_INIT,
  PID_MIN,
  STATUS_CRITICAL,
  STATUS_STALL,
  STATUS_TEXTS,
  VERSION,
  WORD_CRC,
  WORD_HEAD,
  WORD_NONCE_HI,
  WORD_NONCE_LO,
  WORD_PAYLOAD,
  WORD_PID,
  WORD_TIMESTAMP_HI,
  WORD_TIMESTAMP_LO,
} from "./frame.ts";

/**
 * DECODE_OK, or the code of the first rule that the frame at word `w` breaks. The order is
 * normative: foreign traffic is reported as such, and the CRC comes before every field, so a
 * flipped bit never becomes a frame with another meaning.
 */
export function decodeFrame(words: Uint32Array, w: number): number {
  const head = words[w + WORD_HEAD]!;
  if ((head & 0xffff) !== MAGIC) return DECODE_BAD_MAGIC;
  if (((head >>> 16) & 0xff) !== VERSION) return DECODE_BAD_VERSION;
  if (words[w + WORD_CRC]! !== crc32cFrame(words, w)) return DECODE_BAD_CRC;
  const status = head >>> 24;
  if (status > STATUS_STALL) return DECODE_BAD_STATUS;
  if (status === STATUS_STALL) return DECODE_STALL_ON_WIRE;
  if (words[w + WORD_PID]! < PID_MIN) return DECODE_BAD_PID;
  if (words[w + WORD_TIMESTAMP_HI]! === U32_MAX && words[w + WORD_TIMESTAMP_LO]! === U32_MAX)
    return DECODE_BAD_TIMESTAMP;
  if (status !== STATUS_CRITICAL && frameIsTerminal(words, w)) return DECODE_BAD_NONCE;
  return DECODE_OK;
}

/**
 * As `decodeFrame`, of a sender that may be in a container, where pid 1 is a program like others.
 */
export function decodeInnerFrame(words: Uint32Array, w: number): number {
  const code = decodeFrame(words, w);
  if (code !== DECODE_BAD_PID || words[w + WORD_PID]! !== PID_INIT) return code;
  // The two rules that come after the pid. They stand in both: a call costs each beat half a
  // nanosecond.
  if (words[w + WORD_TIMESTAMP_HI]! === U32_MAX && words[w + WORD_TIMESTAMP_LO]! === U32_MAX)
    return DECODE_BAD_TIMESTAMP;
  const isCritical = frameStatus(words, w) === STATUS_CRITICAL;
  return !isCritical && frameIsTerminal(words, w) ? DECODE_BAD_NONCE : DECODE_OK;
}

type Decoded =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false; readonly error: DecodeError };

interface DecodeError {
  readonly name: DecodeErrorName;
  /** The sentence, "varta-vlp: ...". */
  readonly message: string;
}

/**
 * Decodes 32 bytes. Throws RangeError on any other length: listeners check the length of a datagram
 * before.
 */
export function decode(bytes: Uint8Array): Decoded {
  if (bytes.length !== FRAME_BYTES)
    throw new RangeError(
      `Cannot decode frame: it must be ${FRAME_BYTES} bytes long: current length is ${bytes.length}`,
    );
  const words = new Uint32Array(FRAME_WORDS);
  new Uint8Array(words.buffer).set(bytes);
  const code = decodeFrame(words, 0);
  if (code === DECODE_OK) return { ok: true, frame: frameFrom(words) };
  const message = decodeErrorText(
    code,
    decodeErrorHi(code, words, 0),
    decodeErrorLo(code, words, 0),
    decodeErrorSecond(code, words, 0),
  );
  return { ok: false, error: { name: decodeErrorName(code), message } };
}

function frameFrom(words: Uint32Array): Frame {
  return {
    status: STATUS_TEXTS[frameStatus(words, 0)]!,
    pid: words[WORD_PID]!,
    timestamp: u64FromPair(words[WORD_TIMESTAMP_HI]!, words[WORD_TIMESTAMP_LO]!),
    nonce: u64FromPair(words[WORD_NONCE_HI]!, words[WORD_NONCE_LO]!),
    payload: words[WORD_PAYLOAD]!,
  };
}
