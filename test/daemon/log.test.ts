// The lines of the log, character by character (spec 12 section 7): people search them and programs
// parse them.
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { LOG, LOG_KINDS, Log, type LogFields, type LogOptions } from "../../src/daemon/log.ts";

const WALL_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

interface Subject {
  readonly log: Log;
  readonly lines: string[];
  monotonicNs: number;
}

function subject(changes: Partial<LogOptions> = {}): Subject {
  const lines: string[] = [];
  const made: Subject = {
    lines,
    monotonicNs: 5 * NS_PER_S,
    log: new Log({
      level: "debug",
      format: "logfmt",
      write: (line) => lines.push(line),
      wallMs: () => WALL_MS,
      monotonicNs: () => made.monotonicNs,
      journal: false,
      sessionId: "0123456789abcdef",
      ...changes,
    }),
  };
  return made;
}

/** The one line of a warning, without its LF. */
function warning(
  message: string,
  fields: LogFields = {},
  changes: Partial<LogOptions> = {},
): string {
  const { log, lines } = subject(changes);
  log.warn(message, fields);
  expect(lines).toHaveLength(1);
  expect(lines[0]!.indexOf("\n")).toBe(lines[0]!.length - 1);
  return lines[0]!.slice(0, -1);
}

describe("logfmt", () => {
  test("is time, level, message, and the fields in their order", () => {
    expect(warning("agent stalled", { pid: 42, silence_ms: 5_000.5, listener: "main" })).toBe(
      'time=2026-01-02T03:04:05.678Z level=warn msg="agent stalled" pid=42 silence_ms=5000.5 listener=main',
    );
  });

  test.each([
    ["debug", "<7>"],
    ["info", "<6>"],
    ["warn", "<4>"],
    ["error", "<3>"],
  ] as const)(
    "on the journal level %s begins with the priority %s and has no time",
    (level, priority) => {
      const { log, lines } = subject({ journal: true });
      log[level]("x");
      expect(lines).toEqual([`${priority}level=${level} msg="x"\n`]);
    },
  );

  test("leaves out fields that are undefined", () => {
    expect(warning("x", { pid: undefined, flag: false })).toEndWith('msg="x" flag=false');
  });

  test.each([
    ["plain", "plain"],
    ["/run/varta.sock", "/run/varta.sock"],
    ["grüße-日本", "grüße-日本"],
    ["two words", '"two words"'],
    ["", '""'],
    ["a=b", '"a=b"'],
    ['say "no"', '"say \\"no\\""'],
    ["back\\slash", '"back\\\\slash"'],
    ["line\nbreak\r\ttab", '"line\\nbreak\\r\\ttab"'],
    ["nul\0", '"nul\\u0000"'],
    ["\u001b[31mred", '"\\u001b[31mred"'],
    ["\u0085\u2028\u2029", '"\\u0085\\u2028\\u2029"'],
    ["A\u009b31m", '"A\\u009b31m"'],
    ["\u202e\u2066\u2069\u200e\u200f\u061c", '"\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c"'],
    ["\ufeff\u{e0041}", '"\\ufeff\\udb40\\udc41"'],
    ["\u00a0", '"\u00a0"'],
  ])("writes the value %p as %s", (value, text) => {
    expect(warning("x", { key: value })).toEndWith(` key=${text}`);
  });

  test("keeps a message with line breaks on one line", () => {
    expect(warning('one\ntwo "three"')).toEndWith('msg="one\\ntwo \\"three\\""');
  });
});

describe("colour", () => {
  test("is on the level, in logfmt on a terminal only", () => {
    expect(warning("x", {}, { colour: true })).toEndWith(' \x1b[33mlevel=warn\x1b[0m msg="x"');
    expect(warning("x", {}, { colour: true, format: "json" })).not.toContain("\x1b");
    expect(warning("x")).not.toContain("\x1b");
  });
});

describe("json", () => {
  test("is one object with the keys in their order", () => {
    const fields = {
      program: "/bin/x",
      error: "no",
      listener: "main",
      child_pid: 7,
      pid: 42,
      ok: true,
    };
    expect(warning("agent stalled", fields, { format: "json" })).toBe(
      '{"time":"2026-01-02T03:04:05.678Z","session_id":"0123456789abcdef","level":"warn",' +
        '"msg":"agent stalled","pid":42,"child_pid":7,"listener":"main","error":"no",' +
        '"program":"/bin/x","ok":true}',
    );
  });

  test("leaves out fields that are undefined, and has no priority on the journal", () => {
    const line = warning("x", { pid: undefined }, { format: "json", journal: true });
    expect(Object.keys(JSON.parse(line))).toEqual(["time", "session_id", "level", "msg"]);
  });

  test("has numbers as numbers, also beyond 2^53, and an object as one", () => {
    const fields = { last_nonce: 18_446_744_073_709_551_615n, state: { turns: 1, name: "a" } };
    expect(warning("x", fields, { format: "json" })).toEndWith(
      '"last_nonce":18446744073709551615,"state":{"turns":1,"name":"a"}}',
    );
    expect(warning("x", fields)).toEndWith(
      ' last_nonce=18446744073709551615 state="{\\"turns\\":1,\\"name\\":\\"a\\"}"',
    );
  });

  test("escapes what a terminal would obey, in every text of it", () => {
    const hostile = "\u009b31m\u202e\u2066\u200f\u061c\u2028\u007f";
    const fields = { error: hostile, [hostile]: 1, state: { name: hostile } };
    const line = warning(hostile, fields, { format: "json" });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line)).toMatchObject({ msg: hostile, ...fields });
  });

  test("escapes what would end the line or the string", () => {
    const line = warning('a\n"b"\\', { error: "\0" }, { format: "json" });
    expect(JSON.parse(line)).toMatchObject({ msg: 'a\n"b"\\', error: "\0" });
  });
});

describe("the length of a line", () => {
  function messageOf(line: string): string {
    return (JSON.parse(line) as { msg: string }).msg;
  }

  test.each([
    ["320 bytes fit", "a".repeat(320), 320],
    ["321 bytes are cut", "a".repeat(321), 320],
    ["a character of two bytes is not split", `a${"é".repeat(200)}`, 319],
    ["a character of three bytes is not split", "日".repeat(200), 318],
    ["a character of four bytes is not split", `ab${"😀".repeat(100)}`, 318],
  ])("%s", (_what, text, bytes) => {
    const cut = messageOf(warning(text, {}, { format: "json" }));
    expect(Buffer.byteLength(cut)).toBe(bytes);
    expect(text.startsWith(cut)).toBe(true);
  });

  test("an error text has 128 bytes, another value 8192", () => {
    const long = "é".repeat(5_000);
    const line = warning("x", { error: long, other: long }, { format: "json" });
    const { error, other } = JSON.parse(line) as { error: string; other: string };
    expect([Buffer.byteLength(error), Buffer.byteLength(other)]).toEqual([128, 8_192]);
  });
});

describe("levels", () => {
  test.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
  ] as const)("at %s these are written: %p", (level, written) => {
    const { log, lines } = subject({ level });
    for (const each of ["debug", "info", "warn", "error"] as const) log[each]("x");
    expect(lines.map((line) => /level=(\w+)/.exec(line)![1]!)).toEqual([...written]);
  });
});

describe("the cooldown", () => {
  test("writes one line per kind and second, and then reports how many it kept back", () => {
    const made = subject();
    const say = () => made.log.limited("heartbeat_io", "error", "cannot write");
    for (let i = 0; i < 4; i++) say();
    expect(made.lines).toHaveLength(1);
    made.monotonicNs += NS_PER_S - 1;
    say();
    expect(made.lines).toHaveLength(1);
    made.monotonicNs += 1;
    say();
    expect(made.lines[1]).toContain('level=error msg="cannot write" suppressed=4');
    made.monotonicNs += NS_PER_S;
    say();
    expect(made.lines[2]).toEndWith('msg="cannot write"\n');
  });

  test("is one for each kind, and its totals only grow", () => {
    const made = subject();
    for (const kind of LOG_KINDS) for (let i = 0; i < 3; i++) made.log.limited(kind, "warn", "x");
    expect(made.lines).toHaveLength(LOG_KINDS.length);
    expect(LOG_KINDS.map((kind) => made.log.counters.get(LOG.suppressed[kind]))).toEqual(
      LOG_KINDS.map(() => 2),
    );
    made.monotonicNs += NS_PER_S;
    made.log.limited("audit_io", "warn", "x");
    expect(LOG_KINDS.map((kind) => made.log.counters.get(LOG.suppressed[kind]))).toEqual(
      LOG_KINDS.map(() => 2),
    );
  });

  test("does not touch lines without a kind", () => {
    const { log, lines } = subject();
    for (let i = 0; i < 5; i++) log.error("x");
    expect(lines).toHaveLength(5);
  });
});
