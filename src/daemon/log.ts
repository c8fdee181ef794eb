// The log of the daemon (spec 12 section 7): one line per event on stderr, in logfmt or JSON, with
// levels and a cooldown per kind. Lines are bounded, and what a terminal would obey is escaped in
// both; the writer behind it never blocks the loop.
import { block, Counters, counter } from "../base/counters.ts";
import { LOG_LEVELS } from "../base/log_level.ts";
import { NS_PER_S } from "../base/time.ts";
import { escapedCode, escapeUnprintable, UNPRINTABLE_CLASS } from "../base/unprintable.ts";
import type { LogFormat, LogLevel } from "../config/config.ts";

/** Kinds of lines that a fault could repeat without end, in the order of spec 12 section 7. */
export const LOG_KINDS = [
  "file_export_io",
  "audit_io",
  "prom_serve",
  "heartbeat_io",
  "audit_ring_warn",
  "audit_ring_critical",
  "recovery_refused",
  "recovery_deferred",
  "control_refused",
  "hw_watchdog_io",
] as const;

type LogKind = (typeof LOG_KINDS)[number];

/** A bigint is a number beyond 2^53; an object is one in JSON, and its JSON text in logfmt. */
type LogValue = string | number | bigint | boolean | object;

/** Values of a line; `undefined` leaves the key out. */
export type LogFields = Readonly<Record<string, LogValue | undefined>>;

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes a finished line with its LF; must not block. */
  readonly write: (line: string) => void;
  /** Wall clock in ms since the epoch. */
  readonly wallMs: () => number;
  /** Monotonic ns, for the cooldown. */
  readonly monotonicNs: () => number;
  /** stderr is the journal: a priority prefix takes the place of the time. */
  readonly journal: boolean;
  /** 16 hex digits, random per process. */
  readonly sessionId: string;
  /** Colours the level in logfmt: stderr is a terminal that has colours. */
  readonly colour?: boolean;
}

const PRIORITIES: Readonly<Record<LogLevel, string>> = {
  debug: "<7>",
  info: "<6>",
  warn: "<4>",
  error: "<3>",
};
const SGR: Readonly<Record<LogLevel, string>> = {
  debug: "2",
  info: "32",
  warn: "33",
  error: "1;31",
};
const COOLDOWN_NS = NS_PER_S;
const MESSAGE_BYTES_MAX = 320;
const ERROR_BYTES_MAX = 128;
/**
 * Room for the state dump of 64 listeners, the longest value there is: cut short it would be no
 * JSON.
 */
const VALUE_BYTES_MAX = 8_192;
/** Keys that come first in a JSON line, in this order. */
const LEADING_KEYS = ["agent", "pid", "child_pid", "listener", "error"];

export const LOG = block({
  suppressed: counter("varta_log_suppressed_total", "Log lines dropped by the cooldown.", {
    label: "kind",
    values: LOG_KINDS,
  }),
});

export class Log {
  readonly counters = new Counters(LOG, this);
  readonly #options: LogOptions;
  #level: LogLevel;
  #format: LogFormat;
  #rank: number;
  readonly #lastEmittedNs = new Float64Array(LOG_KINDS.length).fill(Number.NEGATIVE_INFINITY);
  readonly #heldBack = new Float64Array(LOG_KINDS.length);

  constructor(options: LogOptions) {
    this.#options = options;
    this.#level = options.level;
    this.#format = options.format;
    this.#rank = LOG_LEVELS.indexOf(options.level);
  }

  /** From the next line on. */
  set format(format: LogFormat) {
    this.#format = format;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#emit("debug", message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#emit("info", message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#emit("warn", message, fields);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#emit("error", message, fields);
  }

  get level(): LogLevel {
    return this.#level;
  }

  /** From now on lines of `level` and above are written. */
  set level(level: LogLevel) {
    this.#level = level;
    this.#rank = LOG_LEVELS.indexOf(level);
  }

  /** Whether lines of `level` are written at all. */
  writes(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#rank;
  }

  /**
   * As the level's own method, but at most one line of `kind` per second; the next one has their
   * number as `suppressed`.
   */
  limited(kind: LogKind, level: LogLevel, message: string, fields: LogFields = {}): void {
    const index = LOG_KINDS.indexOf(kind);
    const now = this.#options.monotonicNs();
    if (now - this.#lastEmittedNs[index]! < COOLDOWN_NS) {
      this.#heldBack[index]!++;
      this.counters.add(LOG.suppressed[kind]);
      return;
    }
    this.#lastEmittedNs[index] = now;
    const held = this.#heldBack[index]!;
    this.#heldBack[index] = 0;
    this.#emit(level, message, held > 0 ? { ...fields, suppressed: held } : fields);
  }

  #emit(level: LogLevel, message: string, fields: LogFields): void {
    if (!this.writes(level)) return;
    const { write } = this.#options;
    const text = cut(message, MESSAGE_BYTES_MAX);
    const line =
      this.#format === "json" ? this.#json(level, text, fields) : this.#logfmt(level, text, fields);
    write(`${line}\n`);
  }

  #logfmt(level: LogLevel, message: string, fields: LogFields): string {
    const { journal, wallMs, colour } = this.#options;
    const head = journal ? PRIORITIES[level] : `time=${new Date(wallMs()).toISOString()} `;
    const rank = colour ? `\x1b[${SGR[level]}mlevel=${level}\x1b[0m` : `level=${level}`;
    let line = `${head}${rank} msg=${quoted(message)}`;
    for (const [key, value] of Object.entries(fields)) {
      if (value === undefined) continue;
      const text = bounded(key, typeof value === "object" ? JSON.stringify(value) : String(value));
      line += ` ${key}=${BARE.test(text) ? text : quoted(text)}`;
    }
    return line;
  }

  #json(level: LogLevel, message: string, fields: LogFields): string {
    const record = new Map<string, string>([
      ["time", JSON.stringify(new Date(this.#options.wallMs()).toISOString())],
      ["session_id", JSON.stringify(this.#options.sessionId)],
      ["level", JSON.stringify(level)],
      ["msg", JSON.stringify(message)],
    ]);
    for (const key of [...LEADING_KEYS, ...Object.keys(fields)]) {
      const value = fields[key];
      if (value !== undefined && !record.has(key)) record.set(key, jsonText(key, value));
    }
    const members = [...record].map(([key, text]) => `${JSON.stringify(key)}:${text}`);
    // What is left of such characters stands within strings, where an escape is the same.
    return escapeUnprintable(`{${members.join(",")}}`);
  }
}

/** A value that needs no quotes in logfmt. */
const BARE = new RegExp(`^[^\\s"=\\\\${UNPRINTABLE_CLASS}]+$`, "u");
const TO_QUOTE = new RegExp(`["\\\\${UNPRINTABLE_CLASS}]`, "gu");

/**
 * `text` in double quotes, with quotes, backslashes and all that a terminal would obey escaped: a
 * line stays one line.
 */
function quoted(text: string): string {
  const escaped = text.replace(TO_QUOTE, (character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    if (character === "\r") return "\\r";
    return escapedCode(character);
  });
  return `"${escaped}"`;
}

function jsonText(key: string, value: LogValue): string {
  if (typeof value === "bigint") return String(value);
  return JSON.stringify(typeof value === "string" ? bounded(key, value) : value);
}

function bounded(key: string, text: string): string {
  return cut(text, key === "error" ? ERROR_BYTES_MAX : VALUE_BYTES_MAX);
}

/** At most `bytesMax` bytes of `text`, cut between two characters. */
function cut(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}
