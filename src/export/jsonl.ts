// One JSON object per line, without spaces, keys in a fixed order; a key without a value is left out (spec 09 section 2).
// Constant words are written with their quotes and colons; the values between them are numbers, or words that need
// no escaping. Wall time is written once per millisecond and copied after that.
import { NS_PER_MS } from "../base/time.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import { IP_WORDS, writeIp } from "../base/ip_text.ts";
import { originText } from "../base/origin.ts";
import type { TextBuffer } from "../base/text_buffer.ts";
import {
  AUTH_REASON_PID,
  EVENT_AUTH_FAILURE,
  EVENT_NAMESPACE_CONFLICT,
  EVENT_ORIGIN_CONFLICT,
  type EventBatch,
} from "../events/event_batch.ts";
import type { Stall } from "../events/stall.ts";
import { statusText } from "../wire/frame.ts";
import {
  type ErrnoText,
  errorText,
  isMismatch,
  kindWord,
  type LineFormat,
  mismatchWord,
} from "./line_format.ts";

export interface JsonlFormatOptions {
  /** Names by listener number. */
  readonly listeners: readonly string[];
  readonly errnoText: ErrnoText;
  /** The observer's own pid-namespace inode; NaN = unknown. */
  readonly observerNamespaceInode: number;
}

const END = "}\n";
/** ECMAScript's last date; an absurd wall clock is held there instead of throwing. */
const UNIX_MS_MAX = 8.64e15;

export class JsonlFormat implements LineFormat {
  /** Wall clock minus observer time, in ns. */
  wallOffsetNs = 0;
  readonly #options: JsonlFormatOptions;
  /** `,"listener":"name"` by listener number. */
  readonly #listenerKeys: readonly string[];
  #wallMs = Number.NaN;
  #wallText = "";

  constructor(options: JsonlFormatOptions) {
    this.#options = options;
    this.#listenerKeys = options.listeners.map((name) => `,"listener":"${name}"`);
  }

  beat(text: TextBuffer, batch: EventBatch, row: number): void {
    this.#head(text, batch.observerNs[row]!, "beat");
    text.ascii(this.#listenerKeys[batch.listener[row]!]!);
    writePid(text, batch.pid[row]!);
    if (batch.hasSource[row]! === 1) {
      text.ascii(',"source":"');
      writeIp(text, batch.source, row * IP_WORDS);
      text.ascii('"');
    }
    writeNonce(text, batch.nonceHi[row]!, batch.nonceLo[row]!);
    text.ascii(',"status":"');
    text.ascii(statusText(batch.status[row]!));
    text.ascii('","payload":');
    text.decimal(batch.payload[row]!);
    writeOrigin(text, ',"origin":"', batch.origin[row]!);
    writeKnown(text, ',"namespace":', batch.namespaceInode[row]!);
    writeKnown(text, ',"generation":', batch.generation[row]!);
    text.ascii(END);
  }

  other(text: TextBuffer, batch: EventBatch, row: number): void {
    const kind = batch.kind[row]!;
    this.#head(text, batch.observerNs[row]!, kindWord(kind));
    text.ascii(this.#listenerKeys[batch.listener[row]!]!);
    if (isMismatch(kind)) {
      this.#mismatch(text, batch, row);
    } else {
      text.ascii(',"error":');
      text.utf8(escapeUnprintable(JSON.stringify(errorText(batch, row, this.#options.errnoText))));
    }
    text.ascii(END);
  }

  stall(text: TextBuffer, stall: Stall): void {
    this.#head(text, stall.observerNs, "stall");
    writePid(text, stall.pid);
    writeSource(text, stall.source);
    writeNonce(text, stall.lastNonceHi, stall.lastNonceLo);
    text.ascii(',"status":"stall"');
    writeOrigin(text, ',"origin":"', stall.origin);
    writeKnown(text, ',"namespace":', stall.namespaceInode);
    writeKnown(text, ',"generation":', stall.generation);
    writeKnown(text, ',"last_ns":', Math.floor(stall.lastNs));
    text.ascii(END);
  }

  eviction(text: TextBuffer, pid: number, observerNs: number, source: string): void {
    this.#head(text, observerNs, "eviction");
    writePid(text, pid);
    writeSource(text, source);
    text.ascii(END);
  }

  #mismatch(text: TextBuffer, batch: EventBatch, row: number): void {
    const kind = batch.kind[row]!;
    writePid(text, batch.pid[row]!);
    if (kind === EVENT_ORIGIN_CONFLICT) {
      writeOrigin(text, ',"origin":"', batch.origin[row]!);
      writeOrigin(text, ',"slot_origin":"', batch.detail[row]!);
    } else if (kind === EVENT_NAMESPACE_CONFLICT) {
      writeKnown(text, ',"namespace":', batch.namespaceInode[row]!);
      writeKnown(text, ',"observer_namespace":', this.#options.observerNamespaceInode);
    }
    text.ascii(',"reason":"');
    if (kind === EVENT_AUTH_FAILURE) {
      text.ascii(batch.detail[row]! === AUTH_REASON_PID ? "pid" : "uid");
    } else {
      text.ascii(mismatchWord(kind));
    }
    text.ascii('"');
  }

  #head(text: TextBuffer, observerNs: number, kind: string): void {
    const wallMs = Math.floor((observerNs + this.wallOffsetNs) / NS_PER_MS);
    if (wallMs !== this.#wallMs) {
      this.#wallMs = wallMs;
      this.#wallText = new Date(Math.min(wallMs, UNIX_MS_MAX)).toISOString();
    }
    text.ascii('{"t":"');
    text.ascii(this.#wallText);
    text.ascii('","observer_ns":');
    text.decimal(Math.floor(observerNs));
    text.ascii(',"kind":"');
    text.ascii(kind);
    text.ascii('"');
  }
}

function writePid(text: TextBuffer, pid: number): void {
  text.ascii(',"pid":');
  text.decimal(pid);
}

/** Where an agent beats from by plain UDP; nothing for all others. */
function writeSource(text: TextBuffer, source: string): void {
  if (source === "") return;
  text.ascii(',"source":"');
  text.ascii(source);
  text.ascii('"');
}

function writeNonce(text: TextBuffer, hi: number, lo: number): void {
  text.ascii(',"nonce":"');
  text.decimalU64(hi, lo);
  text.ascii('"');
}

function writeOrigin(text: TextBuffer, key: string, origin: number): void {
  text.ascii(key);
  text.ascii(originText(origin));
  text.ascii('"');
}

/** Writes the key and the number, or nothing if the number is NaN: unknown. */
function writeKnown(text: TextBuffer, key: string, value: number): void {
  if (Number.isNaN(value)) return;
  text.ascii(key);
  text.decimal(value);
}
