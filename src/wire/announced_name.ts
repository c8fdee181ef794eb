// What a program may call itself, in a hello and at the notify door (spec 01 section 9): letters
// that mean nothing to a log, a metrics page, a shell or a terminal, so that such a name needs no
// escaping anywhere.

/** Of the name field of a control datagram. */
export const ANNOUNCED_NAME_BYTES = 40;

/** What agents without a place are called together. */
const OTHER = "other";

/** Above KINDS, which is computed with it: a bundler makes both a var. */
const DIGIT = 2;
/** 1 = the byte may stand in a name; 2 = it is a digit, of which alone a name would be a pid. */
const KINDS = byteKinds();

/**
 * True if the `length` bytes from `at` on are a name. It makes no string: anybody may send as many
 * of them as the socket takes.
 */
export function isAnnouncedName(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < 1 || length > ANNOUNCED_NAME_BYTES) return false;
  let isPid = true;
  for (let i = at; i < at + length; i++) {
    const kind = KINDS[bytes[i]!]!;
    if (kind === 0) return false;
    if (kind !== DIGIT) isPid = false;
  }
  return !isPid && !isOther(bytes, at, length);
}

/** The name as a text; `isAnnouncedName` said that it is one. */
export function announcedNameText(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function isOther(bytes: Uint8Array, at: number, length: number): boolean {
  if (length !== OTHER.length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i]! !== OTHER.charCodeAt(i)) return false;
  return true;
}

function byteKinds(): Uint8Array {
  const kinds = new Uint8Array(256);
  for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.@:-")
    kinds[letter.charCodeAt(0)] = 1;
  for (const digit of "0123456789") kinds[digit.charCodeAt(0)] = DIGIT;
  return kinds;
}
