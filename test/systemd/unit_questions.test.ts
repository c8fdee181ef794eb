// Questions to systemd (spec 14 section 2.1): over a real bus, and to servers that answer nothing,
// too much, rubbish, or half.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { IS_LINUX } from "../../ffi/constants.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { EndWatch } from "../../src/processes/end_watch.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { UNIT_QUESTIONS, UnitQuestions } from "../../src/systemd/unit_questions.ts";
import type { UnitState } from "../../src/systemd/unit_state.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { HostileBus, NEEDS_BUS, RealBus, StandIn } from "./bus.ts";
import { ENDED_SERVICE, encodeMessage, propertiesReply, s } from "./dbus_encoder.ts";

setDefaultTimeout(TEST_MS_MAX);

const UNIT = "app.service";
const PATH = "/org/freedesktop/systemd1/unit/app_2eservice";
const GREETED = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";
const MIB = 1024 * 1024;

/** The questions of a daemon, whose turns come as the test says. */
class Asker implements Disposable {
  nowNs = 0;
  readonly answers: [string, UnitState | undefined][] = [];
  readonly reasons: (string | undefined)[] = [];
  readonly questions: UnitQuestions;
  readonly #watch = new EndWatch({
    processes: new ProcReader(),
    pidfdsMax: 0,
    openFilesMax: 0,
    kernelTells: false,
  });

  constructor(...sockets: string[]) {
    this.questions = new UnitQuestions({
      sockets,
      attention: this.#watch,
      answered: (unit, state) => this.answers.push([unit, state]),
      failing: (reason) => this.reasons.push(reason),
    });
  }

  ask(unit = UNIT): boolean {
    return this.questions.ask(unit, this.nowNs + NS_PER_S);
  }

  turn(): void {
    this.#watch.look(this.nowNs, () => {});
    this.questions.look(this.nowNs);
  }

  async untilAnswered(count = 1): Promise<void> {
    await until("an answer", () => {
      this.turn();
      return this.answers.length >= count;
    });
  }

  counted(result: keyof typeof UNIT_QUESTIONS.asked): number {
    return this.questions.counters.get(UNIT_QUESTIONS.asked[result]);
  }

  [Symbol.dispose](): void {
    this.questions.close();
    this.#watch.close();
  }
}

describe.skipIf(NEEDS_BUS !== "")(`over a real bus${NEEDS_BUS}`, () => {
  test("the state of a unit is answered, and the connection closed", async () => {
    await using bus = await RealBus.start();
    await using _systemd = await StandIn.start(bus.socket, new Map([[PATH, ENDED_SERVICE]]));
    using asker = new Asker("/nowhere/bus", bus.socket);
    const before = openDescriptors();
    asker.ask();
    await asker.untilAnswered();
    expect(asker.answers).toMatchObject([[UNIT, { mainPid: 4_711, mainCode: 1, mainStatus: 3 }]]);
    expect(asker.reasons).toEqual([undefined]);
    expect(asker.counted("answered")).toBe(1);
    expect(openedSince(before)).toEqual([]);
    expect(asker.questions.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("several who ask about a unit share an answer; two units are asked one after the other", async () => {
    await using bus = await RealBus.start();
    const other = PATH.replace("app", "other");
    const units = new Map([PATH, other].map((path) => [path, ENDED_SERVICE]));
    await using systemd = await StandIn.start(bus.socket, units);
    using asker = new Asker(bus.socket);
    for (const unit of [UNIT, UNIT, "other.service", UNIT]) expect(asker.ask(unit)).toBeTrue();
    await asker.untilAnswered(2);
    expect(systemd.asked).toEqual([PATH, other]);
  });

  test("an error of systemd, and a bus without systemd, are no answer and said by name", async () => {
    await using bus = await RealBus.start();
    using asker = new Asker(bus.socket);
    asker.ask();
    await asker.untilAnswered();
    await using _systemd = await StandIn.start(bus.socket, new Map());
    asker.ask();
    await asker.untilAnswered(2);
    expect(asker.answers.map(([, state]) => state)).toEqual([undefined, undefined]);
    expect(asker.reasons).toEqual([
      expect.stringMatching(
        /^it answered org\.freedesktop\.DBus\.Error\.(ServiceUnknown|NameHasNoOwner)$/,
      ),
      "it answered org.freedesktop.DBus.Error.UnknownObject",
    ]);
    expect(asker.counted("failed")).toBe(2);
  });
});

describe.if(IS_LINUX)("a server", () => {
  const reply = propertiesReply(ENDED_SERVICE);
  const badName = encodeMessage({
    type: 3,
    fields: [
      [4, "s", "a\n\x1b[31m"],
      [5, "u", 2],
    ],
  });
  const signal = encodeMessage({ type: 4, fields: [], signature: "s", body: ["x".repeat(1_000)] });

  test.each<[string, (string | Uint8Array)[], string]>([
    ["that refuses the daemon", ["REJECTED EXTERNAL\r\n"], "it does not let the daemon in"],
    ["whose greeting does not end", ["x".repeat(600)], "the greeting is too long"],
    ["that sends rubbish", [GREETED, "y".repeat(64)], "the answer is garbled"],
    [
      "that answers with another type",
      [GREETED, encodeMessage({ type: 4, fields: [[5, "u", 2]] })],
      "the answer is garbled",
    ],
    [
      "that answers with what is no unit",
      [GREETED, propertiesReply({ Id: s("a") })],
      "the answer is garbled",
    ],
    ["that claims a body of 100 MB", [GREETED, huge(reply)], "the answer is too long"],
    [
      "that sends signals and no answer",
      [GREETED, ...Array(500).fill(signal)],
      "the answer is too long",
    ],
    ["whose error has a name that is none", [GREETED, badName], "it answered with an error"],
  ])("%s is no answer", async (_what, script, reason) => {
    using server = new HostileBus();
    server.script = script;
    using asker = new Asker(server.socket);
    asker.ask();
    await asker.untilAnswered();
    expect(asker.answers).toEqual([[UNIT, undefined]]);
    expect(asker.reasons).toEqual([reason]);
    expect(asker.counted("failed")).toBe(1);
  });

  test.each([0, 10, 60, 400])("that closes after %d bytes is no answer", async (length) => {
    using server = new HostileBus();
    const all = Buffer.concat([Buffer.from(GREETED), reply]);
    server.script = [all.subarray(0, length)];
    server.closes = true;
    using asker = new Asker(server.socket);
    asker.ask();
    await asker.untilAnswered();
    expect(asker.answers).toEqual([[UNIT, undefined]]);
    expect(asker.reasons).toEqual([
      expect.stringMatching(/^the connection was closed$|ECONNRESET|EPIPE/),
    ]);
  });

  test("whose answer comes byte by byte, behind signals, is understood", async () => {
    using server = new HostileBus();
    const all = Buffer.concat([Buffer.from(GREETED), signal, reply]);
    server.script = Array.from(all, (byte) => Uint8Array.of(byte));
    using asker = new Asker(server.socket);
    asker.ask();
    await asker.untilAnswered();
    expect(asker.answers).toMatchObject([[UNIT, { mainPid: 4_711 }]]);
  });

  test("that says nothing is given up in time, and is asked no more for it", async () => {
    using server = new HostileBus();
    server.script = [GREETED];
    using asker = new Asker(server.socket);
    const before = openDescriptors();
    asker.ask();
    asker.turn();
    asker.ask("other.service");
    await until("it to be connected", () => server.connections === 1);
    expect(asker.questions.nextDeadlineNs()).toBe(NS_PER_S);
    asker.nowNs = NS_PER_S;
    asker.turn();
    expect(asker.answers).toEqual([
      [UNIT, undefined],
      ["other.service", undefined],
    ]);
    expect(asker.counted("late")).toBe(2);
    expect(asker.questions.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    await until("its connection to be closed", () => openedSince(before).length === 0);
  });

  test("that is not there, or refuses connections, is said at once", () => {
    using asker = new Asker("/nowhere/bus", "/nowhere/private");
    asker.ask();
    asker.turn();
    expect(asker.answers).toEqual([[UNIT, undefined]]);
    expect(asker.reasons).toEqual(["/nowhere/bus: ENOENT (no such file or directory)"]);
  });

  test("is asked 50 times a second at most, for at most 64 units that wait", () => {
    using asker = new Asker("/nowhere/bus");
    const units = Array.from({ length: 70 }, (_, index) => `app${index}.service`);
    expect(units.map((unit) => asker.ask(unit)).filter(Boolean)).toHaveLength(64);
    expect(asker.counted("dropped")).toBe(6);
    asker.turn();
    expect(asker.answers).toHaveLength(10);
    expect(asker.questions.nextDeadlineNs()).toBe(NS_PER_S / 50);
    for (let turn = 1; turn < 50; turn++) {
      asker.nowNs = (turn * NS_PER_S) / 50;
      asker.turn();
      expect(asker.answers).toHaveLength(10 + turn);
    }
    asker.nowNs = NS_PER_S;
    asker.turn();
    expect(asker.answers).toHaveLength(64);
    expect(asker.counted("late")).toBe(5);
  });
});

/** The body is said to be much longer than it is. */
function huge(bytes: Uint8Array): Uint8Array {
  const wrong = Uint8Array.from(bytes);
  new DataView(wrong.buffer).setUint32(4, 100 * MIB, true);
  return wrong;
}
