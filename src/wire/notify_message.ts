// A message of sd_notify(3), read where it lies in the receive arena (spec 20 section 1). Anybody
// who may beat writes it, as often as the socket takes it: `read` is total, makes no string and no
// object, and a plain WATCHDOG=1 is known by one comparison. What is not understood is ignored, as
// the service manager does; what cannot be whole is refused whole.
import { isAnnouncedName } from "./announced_name.ts";

export const NOTIFY_BYTES_MAX = 4_096;
const STATUS_BYTES_MAX = 256;

/** Why a datagram is refused whole; 0 = it is a message. Indexes of the names. */
export const NOTIFY_OK = 0;
export const NOTIFY_REFUSALS = ["", "empty", "too_long", "nul"] as const;
const NOTIFY_EMPTY = 1;
const NOTIFY_TOO_LONG = 2;
const NOTIFY_NUL = 3;

/** What a message says: bits of `said`. */
export const SAID_BEAT = 1 << 0;
export const SAID_TRIGGER = 1 << 1;
export const SAID_READY = 1 << 2;
export const SAID_STOPPING = 1 << 3;
export const SAID_RELOADING = 1 << 4;
export const SAID_BARRIER = 1 << 5;
export const SAID_WATCHDOG_USEC = 1 << 6;
export const SAID_EXTEND_USEC = 1 << 7;
export const SAID_ERRNO = 1 << 8;
export const SAID_MAINPID = 1 << 9;
export const SAID_STATUS = 1 << 10;
export const SAID_NAME = 1 << 11;

/** PID_MAX_LIMIT of a 64-bit kernel. */
const PID_LIMIT = 4_194_304;
/** MAX_ERRNO of the kernel. */
const ERRNO_MAX = 4_095;
/** 19 digits are below 2^64: the longest that nobody can have meant as something else. */
const DIGITS_MAX = 19;

const LF = 0x0a;
const EQUALS = 0x3d;
const DIGIT_0 = 0x30;

const PLAIN_BEAT = latin1("WATCHDOG=1");
const WATCHDOG = latin1("WATCHDOG");
const TRIGGER = latin1("trigger");
const READY = latin1("READY");
const STOPPING = latin1("STOPPING");
const RELOADING = latin1("RELOADING");
const BARRIER = latin1("BARRIER");
const WATCHDOG_USEC = latin1("WATCHDOG_USEC");
const EXTEND_TIMEOUT_USEC = latin1("EXTEND_TIMEOUT_USEC");
const ERRNO = latin1("ERRNO");
const MAINPID = latin1("MAINPID");
const STATUS = latin1("STATUS");
const X_VARTA_NAME = latin1("X_VARTA_NAME");

/** The message that was read last. One is made once, and read into again and again. */
export class NotifyMessage {
  /** Bits SAID_*; the fields below are valid with theirs. */
  said = 0;
  /** Microseconds; rounded above 2^53, which no bound lets through. */
  watchdogUsec = 0;
  extendUsec = 0;
  errno = 0;
  /** 0 = what it names cannot be a process. */
  mainPid = 0;
  /** Where in the arena the text begins, and how many bytes of it are kept. */
  statusAt = 0;
  statusBytes = 0;
  nameAt = 0;
  nameBytes = 0;

  /**
   * Reads the `length` bytes from `at` on; `length` is that of the datagram, also if not all of it
   * fitted. NOTIFY_OK, or why nothing of it is done.
   */
  read(bytes: Uint8Array, at: number, length: number): number {
    this.said = 0;
    if (isPlainBeat(bytes, at, length)) {
      this.said = SAID_BEAT;
      return NOTIFY_OK;
    }
    if (length === 0) return NOTIFY_EMPTY;
    if (length > NOTIFY_BYTES_MAX) return NOTIFY_TOO_LONG;
    let end = at + length;
    // Some C programs send the NUL that ends their text.
    if (length > 1 && bytes[end - 1]! === 0) end -= 1;
    for (let i = at; i < end; i++) if (bytes[i]! === 0) return NOTIFY_NUL;
    for (let lineAt = at; lineAt < end; ) {
      const lineEnd = indexIn(bytes, LF, lineAt, end);
      const equalsAt = indexIn(bytes, EQUALS, lineAt, lineEnd);
      if (equalsAt < lineEnd) this.#field(bytes, lineAt, equalsAt, lineEnd);
      lineAt = lineEnd + 1;
    }
    return NOTIFY_OK;
  }

  /** One line: its field from `at` to `equalsAt`, its value behind that up to `end`. */
  #field(bytes: Uint8Array, at: number, equalsAt: number, end: number): void {
    const valueAt = equalsAt + 1;
    const length = equalsAt - at;
    // The first letter and the length tell all fields apart but READY and ERRNO, BARRIER and
    // MAINPID, which differ in the first.
    switch (bytes[at]!) {
      case 0x57: // W
        if (isText(bytes, at, length, WATCHDOG)) this.#watchdog(bytes, valueAt, end);
        else if (isText(bytes, at, length, WATCHDOG_USEC)) this.#watchdogUsec(bytes, valueAt, end);
        return;
      case 0x53: // S
        if (isText(bytes, at, length, STATUS)) this.#status(bytes, valueAt, end);
        else if (isText(bytes, at, length, STOPPING))
          this.#flag(SAID_STOPPING, bytes, valueAt, end);
        return;
      case 0x52: // R
        if (isText(bytes, at, length, READY)) this.#flag(SAID_READY, bytes, valueAt, end);
        else if (isText(bytes, at, length, RELOADING))
          this.#flag(SAID_RELOADING, bytes, valueAt, end);
        return;
      case 0x42: // B
        if (isText(bytes, at, length, BARRIER)) this.#flag(SAID_BARRIER, bytes, valueAt, end);
        return;
      case 0x45: // E
        if (isText(bytes, at, length, EXTEND_TIMEOUT_USEC)) this.#extend(bytes, valueAt, end);
        else if (isText(bytes, at, length, ERRNO)) this.#errno(bytes, valueAt, end);
        return;
      case 0x4d: // M
        if (isText(bytes, at, length, MAINPID)) this.#mainPid(bytes, valueAt, end);
        return;
      case 0x58: // X
        if (isText(bytes, at, length, X_VARTA_NAME)) this.#name(bytes, valueAt, end);
        return;
    }
  }

  #flag(bit: number, bytes: Uint8Array, at: number, end: number): void {
    if (end - at === 1 && bytes[at]! === DIGIT_0 + 1) this.said |= bit;
  }

  #watchdog(bytes: Uint8Array, at: number, end: number): void {
    if (isText(bytes, at, end - at, TRIGGER)) this.said |= SAID_TRIGGER;
    else this.#flag(SAID_BEAT, bytes, at, end);
  }

  #watchdogUsec(bytes: Uint8Array, at: number, end: number): void {
    const usec = numberIn(bytes, at, end);
    if (!(usec > 0)) return;
    this.said |= SAID_WATCHDOG_USEC;
    this.watchdogUsec = usec;
  }

  #extend(bytes: Uint8Array, at: number, end: number): void {
    const usec = numberIn(bytes, at, end);
    if (!(usec > 0)) return;
    this.said |= SAID_EXTEND_USEC;
    this.extendUsec = usec;
  }

  #errno(bytes: Uint8Array, at: number, end: number): void {
    const errno = numberIn(bytes, at, end);
    if (!(errno <= ERRNO_MAX)) return;
    this.said |= SAID_ERRNO;
    this.errno = errno;
  }

  // Who speaks for a process that cannot be is not taken for one that speaks for itself.
  #mainPid(bytes: Uint8Array, at: number, end: number): void {
    const pid = numberIn(bytes, at, end);
    this.said |= SAID_MAINPID;
    this.mainPid = pid <= PID_LIMIT ? pid : 0;
  }

  #status(bytes: Uint8Array, at: number, end: number): void {
    this.said |= SAID_STATUS;
    this.statusAt = at;
    this.statusBytes = wholeCharacters(bytes, at, end);
  }

  #name(bytes: Uint8Array, at: number, end: number): void {
    if (!isAnnouncedName(bytes, at, end - at)) return;
    this.said |= SAID_NAME;
    this.nameAt = at;
    this.nameBytes = end - at;
  }
}

/** With or without the LF that many programs put behind it. */
function isPlainBeat(bytes: Uint8Array, at: number, length: number): boolean {
  const { length: wanted } = PLAIN_BEAT;
  if (length !== wanted && !(length === wanted + 1 && bytes[at + wanted]! === LF)) return false;
  return isText(bytes, at, wanted, PLAIN_BEAT);
}

function isText(bytes: Uint8Array, at: number, length: number, text: Uint8Array): boolean {
  if (length !== text.length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i]! !== text[i]!) return false;
  return true;
}

/** The index of the first such byte; `end` = there is none. */
function indexIn(bytes: Uint8Array, byte: number, at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i]! !== byte) i += 1;
  return i;
}

/** NaN = it is no number. Above 2^53 it is rounded. */
function numberIn(bytes: Uint8Array, at: number, end: number): number {
  if (end === at || end - at > DIGITS_MAX) return Number.NaN;
  let value = 0;
  for (let i = at; i < end; i++) {
    const digit = bytes[i]! - DIGIT_0;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** How many bytes are kept of a text: what there is, else not half of a UTF-8 character. */
function wholeCharacters(bytes: Uint8Array, at: number, end: number): number {
  if (end - at <= STATUS_BYTES_MAX) return end - at;
  let length = STATUS_BYTES_MAX;
  // At most three bytes continue a character; what has more of them is none, and is cut anywhere.
  while (length > STATUS_BYTES_MAX - 4 && isContinuation(bytes[at + length]!)) length -= 1;
  return isContinuation(bytes[at + length]!) ? STATUS_BYTES_MAX : length;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
