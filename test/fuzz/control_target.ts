// Lines of the control socket, acts among them, against a slow reader: valid ones, damaged ones,
// blank ones and garbage, sent to the real server in pieces of any size. Each line that the slow
// reader knows gets its answer, in order; after bytes that are no line there is one error, and the
// end.
import { AF_UNIX, EAGAIN, SOCK_STREAM } from "../../ffi/constants.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { shutdownWrite, StreamBuffer } from "../../ffi/stream.ts";
import { wholePiece } from "../../src/base/pieces.ts";
import { ControlServer } from "../../src/control/control_server.ts";
import { answerLine, type Request } from "../../src/control/request.ts";
import { BEAT } from "../../src/control/requests/beat.ts";
import { BYE } from "../../src/control/requests/bye.ts";
import { DOORS } from "../../src/control/requests/doors.ts";
import { FORGET } from "../../src/control/requests/forget.ts";
import { GATES } from "../../src/control/requests/gates.ts";
import { LOG_LEVEL } from "../../src/control/requests/log_level.ts";
import { MUTE } from "../../src/control/requests/mute.ts";
import { MUTES } from "../../src/control/requests/mutes.ts";
import { RECOVER } from "../../src/control/requests/recover.ts";
import { UNMUTE } from "../../src/control/requests/unmute.ts";
import { AskedBeatsDoor } from "../../src/daemon/asked_beats.ts";
import { LiveConfig } from "../../src/daemon/live_config.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { LibraryObserver } from "../../src/observer/library.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { EventStreams } from "../../src/view/event_streams.ts";
import { FixtureHost } from "../config/fixture_host.ts";
import { ActsHarness } from "../daemon/acts_harness.ts";
import type { Random } from "../simulation/random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { damage } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";
import { sourcesWith } from "../control/sources.ts";

using HOST = new FixtureHost();
const LOADED = await HOST.load("");
if (!LOADED.ok) throw new Error(LOADED.text);
const CONFIG = LOADED.config;

const CONNECTIONS_PER_ROUND = 8;
const LINES_MAX = 12;
const TURNS_MAX = 10_000;
const SLICE_NS = 1_000_000;

const GET: Request = {
  name: "get",
  right: "read",
  help: "",
  args: { n: { is: "integer", min: 0, max: 9, help: "" } },
  answer: "",
  run: (args) => wholePiece(answerLine({ n: args.get("n") ?? null })),
};

const LINES = [
  ...['{"v":1,"do":"get","n":3}', '{"v":1,"do":"get"}', ' {"do":"get","v":1}\r', "", " \t\r"],
  ...['{"v":1,"do":"get","n":10}', '{"v":1,"do":"get","n":"3"}', '{"v":1,"do":"get","m":1}'],
  ...['{"v":2,"do":"get"}', '{"do":"get"}', '{"v":1,"do":"got"}', '{"v":1,"do":7}', '{"v":1}'],
];
const NO_LINES = ["garbage", "[]", "7", "null", '{"v":1,"do":"get"', "\xff{}", "GET / HTTP/1.1"];

/** Of each act that the daemon has, lines that it takes and lines that it does not. */
const ACT_LINES = [
  ...['{"v":1,"do":"mute","target":"worker","for":"30m","reason":"x"}', '{"v":1,"do":"mutes"}'],
  ...['{"v":1,"do":"mute","target":"work*","for":"7d"}', '{"v":1,"do":"mute","all":true}'],
  ...['{"v":1,"do":"mute","all":true,"for":"168h"}', '{"v":1,"do":"mute","for":"1s"}'],
  ...['{"v":1,"do":"unmute","target":"worker"}', '{"v":1,"do":"unmute","all":true}'],
  ...['{"v":1,"do":"unmute","target":"api","all":true}', '{"v":1,"do":"unmute"}'],
  ...['{"v":1,"do":"recover","target":"100","force":true}', '{"v":1,"do":"recover"}'],
  ...['{"v":1,"do":"gates","target":"worker"}', '{"v":1,"do":"gates","target":100}'],
  ...['{"v":1,"do":"forget","target":"10.0.0.1/7"}', '{"v":1,"do":"forget","target":""}'],
  ...['{"v":1,"do":"log_level","level":"debug","for":"0.5s"}', '{"v":1,"do":"log_level"}'],
  '{"v":1,"do":"log_level","level":"loud","for":"1.5ms"}',
];
/**
 * Of each request of those who beat, the same. No process has one of these pids, so that each
 * answer comes at once: what became of a beat is the business of its own tests.
 */
const BEAT_LINES = [
  '{"v":1,"do":"doors","comm":"sleep","exe":"/usr/bin/sleep"}',
  '{"v":1,"do":"doors","comm":"sixteen letters."}',
  ...['{"v":1,"do":"beat","pid":4294967295}', '{"v":1,"do":"beat","pid":4294967294,"status":"ok"}'],
  ...['{"v":1,"do":"beat","pid":4294967295,"status":"stall"}', '{"v":1,"do":"beat"}'],
  ...['{"v":1,"do":"beat","pid":4294967296}', '{"v":1,"do":"beat","pid":"4294967295"}'],
  ...['{"v":1,"do":"bye","pid":4294967295}', '{"v":1,"do":"bye"}', '{"v":1,"do":"bye","pid":1}'],
  ...[
    '{"v":1,"do":"doors"}',
    '{"v":1,"do":"doors","name":"worker"}',
    '{"v":1,"do":"doors","name":7}',
  ],
  '{"v":1,"do":"bye","pid":4294967295,"status":"ok"}',
];
const BEATS: readonly Request[] = [DOORS, BEAT, BYE];

const ACTS: readonly Request[] = [MUTE, UNMUTE, MUTES, GATES, RECOVER, FORGET, LOG_LEVEL];

export class ControlTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #directory = new TemporaryDirectory();
  readonly #server: ControlServer;
  readonly #buffer = new StreamBuffer(65_536);
  /** What is muted stays so for all rounds. Nothing has a plan: no recovery begins. */
  readonly #acts = new ActsHarness();
  readonly #listener = new UnixListener({
    name: "unix",
    path: this.#directory.at("varta.sock"),
    mode: 0o600,
    gid: undefined,
    rcvbufBytes: 0,
    allowList: undefined,
  });
  readonly #beats = new AskedBeatsDoor({
    observer: doorsAt(this.#listener),
    processes: new ProcReader(),
    live: new LiveConfig(CONFIG, () => Promise.resolve({ rules: [], listeners: [] })),
    nowGeneration: () => Number.NaN,
  });
  #nowNs = 1;

  constructor() {
    this.#acts.watch({ 100: "worker", 101: "worker", 200: "api" });
    this.#server = new ControlServer({
      path: this.#directory.at("control.sock"),
      mode: 0o600,
      gid: undefined,
      operators: { uids: [], gids: [] },
      daemonUid: effectiveUid(),
      requests: [GET, ...BEATS, ...ACTS],
      sources: sourcesWith({
        acts: this.#acts.acts,
        beats: this.#beats,
        events: new EventStreams(new EventLog(), "boot"),
      }),
      nowNs: () => this.#nowNs,
      acted: () => {},
      refusedAct: () => {},
    });
  }

  round(random: Random): void {
    for (let i = 0; i < CONNECTIONS_PER_ROUND; i++) this.#one(random);
  }

  [Symbol.dispose](): void {
    this.#server.beginClose();
    this.#listener.close();
    this.#directory[Symbol.dispose]();
  }

  #one(random: Random): void {
    const lines = Array.from({ length: random.below(LINES_MAX) }, () =>
      random.pick(random.chance(0.05) ? NO_LINES : random.pick([LINES, ACT_LINES, BEAT_LINES])),
    );
    const bytes = Uint8Array.from(Buffer.from(lines.join("\n"), "latin1"));
    if (random.chance(0.2)) damage(random, bytes);
    const found = outcomes(this.#exchange(bytes, random));
    const wanted = referenceOutcomes(bytes);
    // Whether an act is done or refused is the business of its own tests: here it is answered.
    const answered = found.map((one) => (ACT_REFUSALS.includes(one) ? "ok" : one));
    const asked = JSON.stringify(Buffer.from(bytes).toString("latin1"));
    same(`the answers to ${asked}`, answered, wanted);
    for (const one of found) count(this, one);
  }

  /** All that comes back, until the server ends the connection. */
  #exchange(bytes: Uint8Array, random: Random): string {
    const fd = openSocket(AF_UNIX, SOCK_STREAM);
    try {
      if (connect(fd, unixAddress(this.#server.path)) < 0) throw new Error("no connection");
      let at = 0;
      let text = "";
      for (let turn = 0; turn < TURNS_MAX; turn++) {
        if (at < bytes.length) {
          const size = 1 + random.below(random.chance(0.5) ? 4 : 200);
          // A server that has ended the connection takes nothing more.
          if (send(fd, bytes.slice(at, at + size)) < 0) at = bytes.length;
          else at = Math.min(bytes.length, at + size);
        } else shutdownWrite(fd);
        this.#server.serveSlice(SLICE_NS);
        const came = this.#buffer.receive(fd, 0);
        if (came > 0) text += Buffer.from(this.#buffer.bytes.subarray(0, came)).toString();
        else if (came !== -EAGAIN) return text;
      }
      throw new Error("the connection does not end");
    } finally {
      close(fd);
      this.#server.serveSlice(SLICE_NS);
    }
  }
}

/** An observer that has one listener, at which this process may beat. */
function doorsAt(listener: UnixListener): LibraryObserver {
  const observer = new LibraryObserver({
    thresholdNs: 1_000_000_000,
    clock: new ObserverClock({ readNs: () => 1, asleepNs: () => 0 }),
    processes: new ProcReader(),
    observerInode: Number.NaN,
  });
  observer.addListener(listener);
  return observer;
}

/** The error of each answer, or "ok". */
function outcomes(text: string): string[] {
  const answers = text.split('{"done":true}\n');
  if (answers.pop() !== "") throw new Error(`an answer has no end: ${text}`);
  return answers.map((answer) => {
    const lines = answer.trimEnd().split("\n");
    if (lines.length !== 1) throw new Error(`not one line: ${answer}`);
    return (JSON.parse(lines[0]!) as { error?: string }).error ?? "ok";
  });
}

function referenceOutcomes(bytes: Uint8Array): string[] {
  const found: string[] = [];
  for (const line of Buffer.from(bytes).toString("latin1").split("\n")) {
    if (/^[ \t\r]*$/.test(line)) continue;
    const one = referenceOutcome(Buffer.from(line, "latin1"));
    found.push(one);
    if (one === "bad_line") return found;
  }
  return found;
}

function referenceOutcome(line: Buffer): string {
  let value: unknown;
  try {
    // What is no UTF-8 comes out otherwise than it went in.
    if (!Buffer.from(line.toString("utf8"), "utf8").equals(line)) return "bad_line";
    value = JSON.parse(line.toString("utf8"));
  } catch {
    return "bad_line";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "bad_line";
  const fields = new Map(Object.entries(value));
  if (fields.get("v") !== 1) return "bad_version";
  const name = fields.get("do");
  fields.delete("v");
  fields.delete("do");
  const forms = typeof name === "string" ? ACT_FORMS.get(name) : undefined;
  if (forms !== undefined) return referenceAct(forms, fields);
  if (name !== "get") return "unknown_request";
  for (const [field, given] of fields) {
    if (field !== "n") return "unknown_field";
    if (![0, 1, 2, 3, 4, 5, 6, 7, 8, 9].includes(given as number)) return "bad_field";
  }
  return "ok";
}

const ACT_REFUSALS: readonly string[] = ["refused", "no_such_agent", "not_permitted"];
const HOUR_MS = 3_600_000;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: HOUR_MS };

type Form = (value: unknown) => boolean;

const flag: Form = (value) => value === true || value === false;
const text =
  (max: number): Form =>
  (value) =>
    typeof value === "string" && value.length >= 1 && value.length <= max;
const level: Form = (value) => ["error", "warn", "info", "debug"].includes(value as string);

const pidForm: Form = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 2 && value < 2 ** 32;
const statusForm: Form = (value) => ["ok", "degraded", "critical"].includes(value as string);

/** Whole milliseconds from 1 to those of `hours`. */
const during =
  (hours: number): Form =>
  (value) => {
    const [, whole, part = "", unit] = /^(\d+)(?:\.(\d+))?(ms|s|m|h)$/.exec(`${value}`) ?? [];
    if (typeof value !== "string" || whole === undefined) return false;
    const scaled = BigInt(whole + part) * BigInt(UNITS_MS[unit!]!);
    const scale = 10n ** BigInt(part.length);
    const ms = scaled / scale;
    return scaled % scale === 0n && ms >= 1n && ms <= BigInt(hours * HOUR_MS);
  };

/** Of each act its fields, and those that must be there; "one" = target or all, and not both. */
interface ActForm {
  readonly fields: Readonly<Record<string, Form>>;
  readonly musts: readonly string[];
}

const TARGET_FORM = text(320);
const ACT_FORMS: ReadonlyMap<string, ActForm> = new Map([
  [
    "mute",
    {
      fields: { target: TARGET_FORM, all: flag, for: during(168), reason: text(120) },
      musts: ["for", "one"],
    },
  ],
  ["unmute", { fields: { target: TARGET_FORM, all: flag }, musts: ["one"] }],
  ["mutes", { fields: {}, musts: [] }],
  ["gates", { fields: { target: TARGET_FORM, force: flag }, musts: ["target"] }],
  ["recover", { fields: { target: TARGET_FORM, force: flag, no_wait: flag }, musts: ["target"] }],
  ["forget", { fields: { target: TARGET_FORM }, musts: ["target"] }],
  ["doors", { fields: { name: text(256), comm: text(15), exe: text(1024) }, musts: [] }],
  ["beat", { fields: { pid: pidForm, status: statusForm }, musts: ["pid"] }],
  ["bye", { fields: { pid: pidForm }, musts: ["pid"] }],
  ["log_level", { fields: { level, for: during(24) }, musts: ["level", "for"] }],
]);

function referenceAct({ fields, musts }: ActForm, given: ReadonlyMap<string, unknown>): string {
  for (const [field, value] of given) {
    if (!Object.hasOwn(fields, field)) return "unknown_field";
    if (!fields[field]!(value)) return "bad_field";
  }
  const hasOne = (given.get("all") === true) !== given.has("target");
  return musts.every((must) => (must === "one" ? hasOne : given.has(must))) ? "ok" : "bad_field";
}
