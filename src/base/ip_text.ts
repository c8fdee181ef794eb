// An IP address as text, from the four big-endian words in which listeners keep the source of a
// datagram: 16 bytes of IPv6, or IPv4 after ::ffff:.
import { TextBuffer } from "./text_buffer.ts";

/** Words of one address. */
export const IP_WORDS = 4;
/** The third of them, after two zeros, for IPv4. */
export const IPV4_MAPPED = 0xffff;

const COLON = 0x3a;
const DOT = 0x2e;

/**
 * Appends the address at index `at` of `words`: IPv4 with dots, IPv6 as RFC 5952 wants it.
 * Allocates nothing.
 */
export function writeIp(text: TextBuffer, words: ArrayLike<number>, at: number): void {
  const last = words[at + 3]!;
  if (words[at]! === 0 && words[at + 1]! === 0 && words[at + 2]! === IPV4_MAPPED) {
    text.decimal(last >>> 24);
    for (const shift of SHIFTS) {
      text.byte(DOT);
      text.decimal((last >>> shift) & 0xff);
    }
    return;
  }
  writeGroups(text, words, at);
}

export function ipText(words: ArrayLike<number>, at: number): string {
  const text = new TextBuffer(48);
  writeIp(text, words, at);
  return Buffer.from(text.view()).toString("latin1");
}

const SHIFTS = [16, 8, 0] as const;
const GROUPS = 8;

function groupAt(words: ArrayLike<number>, at: number, group: number): number {
  const word = words[at + (group >>> 1)]!;
  return (group & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function writeGroups(text: TextBuffer, words: ArrayLike<number>, at: number): void {
  // The longest run of at least two zero groups, the first of equal ones, is left out.
  let skipFrom = -1;
  let skipCount = 1;
  for (let group = 0; group < GROUPS; group++) {
    let count = 0;
    while (group + count < GROUPS && groupAt(words, at, group + count) === 0) count++;
    if (count > skipCount) {
      skipFrom = group;
      skipCount = count;
    }
    if (count > 0) group += count - 1;
  }
  for (let group = 0; group < GROUPS; group++) {
    if (group === skipFrom) {
      text.byte(COLON);
      text.byte(COLON);
      group += skipCount - 1;
      continue;
    }
    const isBehindSkip = skipFrom >= 0 && group === skipFrom + skipCount;
    if (group > 0 && !isBehindSkip) text.byte(COLON);
    writeHex(text, groupAt(words, at, group));
  }
}

function writeHex(text: TextBuffer, value: number): void {
  let shift = 12;
  while (shift > 0 && value >>> shift === 0) shift -= 4;
  for (; shift >= 0; shift -= 4) {
    const digit = (value >>> shift) & 0xf;
    text.byte(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}
