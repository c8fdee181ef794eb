// Asks systemd about units (spec 14 section 2.1): one question at a time, a few in a second, each
// with a time at which its answer is given up. Several who ask about one unit share an answer. A
// host without systemd, or one whose bus does not let the daemon in, says so at once.
import { StreamBuffer } from "../../ffi/stream.ts";
import { block, Counters, counter } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import { TokenBucket } from "../tables/token_bucket.ts";
import { UNIT_ANSWER_BYTES_MAX, type BusAnswer, BusCall } from "./bus_call.ts";
import { readUnitState, type UnitState, unitPath } from "./unit_state.ts";

/** The system bus, and systemd itself, which answers root alone. */
export const SYSTEMD_SOCKETS: readonly string[] = [
  "/run/dbus/system_bus_socket",
  "/run/systemd/private",
];
/** About a millisecond of systemd and of the bus each. */
const QUESTIONS_PER_SECOND = 50;
const QUESTIONS_AT_ONCE_MAX = 10;
const NS_PER_QUESTION = NS_PER_S / QUESTIONS_PER_SECOND;
/** More units than can be asked for in the time that an answer has. */
const UNITS_WAITING_MAX = 64;

export const UNIT_QUESTIONS = block({
  asked: counter(
    "varta_unit_questions_total",
    "Questions to systemd about the unit of a member that ended; failed, late or dropped: how it ended is unknown.",
    { label: "result", values: ["answered", "failed", "late", "dropped"] },
  ),
});

/** What says when a descriptor is readable. */
interface Attention {
  /** `isReady` is called in a turn in which it is; false = it cannot be. */
  attend(fd: number, isReady: () => void): boolean;
  leave(fd: number): void;
}

interface UnitQuestionsOptions {
  /** Tried in this order. */
  readonly sockets: readonly string[];
  readonly attention: Attention;
  /** The state of a unit; undefined = it is not known. Called during the turn. */
  readonly answered: (unit: string, state: UnitState | undefined) => void;
  /** Why there is no answer; undefined = there is one again. */
  readonly failing: (reason: string | undefined) => void;
}

export class UnitQuestions {
  readonly counters = new Counters(UNIT_QUESTIONS, this);
  readonly #options: UnitQuestionsOptions;
  readonly #bucket = new TokenBucket(QUESTIONS_PER_SECOND, QUESTIONS_AT_ONCE_MAX);
  /** By unit: until when it is waited for. In the order in which they are asked. */
  readonly #waiting = new Map<string, number>();
  #call: BusCall | undefined;
  /** Of the question that is asked. */
  #unit = "";
  #dueNs = 0;
  /** Made with the first question. */
  #buffer: StreamBuffer | undefined;
  #nextAskNs = 0;

  constructor(options: UnitQuestionsOptions) {
    this.#options = options;
  }

  /**
   * `answered` is called later, until `dueNs`, for all who asked about the unit; false = it is not,
   * there is no room.
   */
  ask(unit: string, dueNs: number): boolean {
    if (this.#waiting.has(unit)) return true;
    if (this.#waiting.size >= UNITS_WAITING_MAX) {
      this.counters.add(UNIT_QUESTIONS.asked.dropped);
      return false;
    }
    this.#waiting.set(unit, dueNs);
    return true;
  }

  nextDeadlineNs(): number {
    if (this.#call !== undefined) return this.#dueNs;
    return this.#waiting.size > 0 ? this.#nextAskNs : Number.POSITIVE_INFINITY;
  }

  /** In every turn that sees ends: gives up what is late, and asks the next question. */
  look(nowNs: number): void {
    if (this.#call !== undefined && nowNs >= this.#dueNs) this.#finish("late", "no answer in time");
    for (const [unit, dueNs] of this.#waiting) {
      if (nowNs < dueNs) continue;
      this.#waiting.delete(unit);
      this.#give("late", unit, undefined);
    }
    if (this.#call === undefined && this.#waiting.size > 0) this.#askNext(nowNs);
  }

  close(): void {
    this.#hangUp();
  }

  #askNext(nowNs: number): void {
    for (const [unit, dueNs] of this.#waiting) {
      if (!this.#bucket.tryTake(nowNs)) {
        this.#nextAskNs = nowNs + NS_PER_QUESTION;
        return;
      }
      this.#waiting.delete(unit);
      this.#unit = unit;
      this.#dueNs = dueNs;
      const fault = this.#open();
      if (fault === "") return;
      this.#finish("failed", fault);
    }
  }

  /** Why it cannot be asked. */
  #open(): string {
    const { sockets, attention } = this.#options;
    const question = { destination: "org.freedesktop.systemd1", path: unitPath(this.#unit) };
    this.#buffer ??= new StreamBuffer(UNIT_ANSWER_BYTES_MAX);
    let fault = "";
    for (const path of sockets) {
      const call = BusCall.open(path, question, this.#buffer);
      if (typeof call === "string") {
        fault ||= `${path}: ${call}`;
        continue;
      }
      this.#call = call;
      if (attention.attend(call.fd, () => this.#read(call))) return "";
      this.#hangUp();
      return "no descriptor can be waited for";
    }
    return fault;
  }

  #read(call: BusCall): void {
    const answer = call.read();
    if (answer === undefined) return;
    const state = stateIn(answer);
    if (typeof state === "string") this.#finish("failed", state);
    else this.#finish("answered", undefined, state);
  }

  #finish(
    result: "answered" | "failed" | "late",
    fault: string | undefined,
    state?: UnitState,
  ): void {
    this.#hangUp();
    this.#options.failing(fault);
    this.#give(result, this.#unit, state);
  }

  #give(result: "answered" | "failed" | "late", unit: string, state: UnitState | undefined): void {
    this.counters.add(UNIT_QUESTIONS.asked[result]);
    this.#options.answered(unit, state);
  }

  #hangUp(): void {
    const call = this.#call;
    if (call === undefined) return;
    this.#call = undefined;
    this.#options.attention.leave(call.fd);
    call.close();
  }
}

function stateIn(answer: BusAnswer): UnitState | string {
  if (typeof answer === "string") return answer;
  return readUnitState(answer) ?? "the answer is garbled";
}
