// A systemd beside the simulated processes: knows the main process of each unit, stops and starts
// units, and answers questions after a while, or never.
import type { UnitQuestions } from "../../src/systemd/unit_questions.ts";
import type { UnitState } from "../../src/systemd/unit_state.ts";
import { exitStatusOf, signalOf } from "../../src/base/wait_status.ts";
import type { Life } from "./death_promises.ts";
import type { Random } from "./random.ts";

const MS = 1e6;
const NS_PER_US = 1_000;

interface Unit {
  main: Life;
  activeExitNs: number;
  /** It was told to stop, and its main process ended for that. */
  wasStopped: boolean;
  restarts: number;
}

interface Question {
  readonly unit: string;
  readonly answerNs: number;
  readonly dueNs: number;
}

export class SimulatedSystemd implements Pick<UnitQuestions, "ask" | "look" | "nextDeadlineNs"> {
  answered: (unit: string, state: UnitState | undefined) => void = () => {};
  readonly #random: Random;
  readonly #nowNs: () => number;
  readonly #units = new Map<string, Unit>();
  readonly #questions: Question[] = [];

  constructor(random: Random, nowNs: () => number) {
    this.#random = random;
    this.#nowNs = nowNs;
  }

  started(life: Life): void {
    const known = this.#units.get(life.unit);
    if (known === undefined) {
      this.#units.set(life.unit, { main: life, activeExitNs: 0, wasStopped: false, restarts: 0 });
      return;
    }
    if (known.main.endedNs > this.#nowNs()) return;
    known.restarts = known.wasStopped ? 0 : known.restarts + 1;
    known.main = life;
    known.wasStopped = false;
  }

  /** The unit ceases to be active, before its processes end. */
  stops(unit: string): void {
    const known = this.#units.get(unit);
    if (known === undefined || known.main.endedNs <= this.#nowNs()) return;
    known.activeExitNs = this.#nowNs() - 1 * MS;
    known.wasStopped = true;
  }

  ended(life: Life): void {
    const known = this.#units.get(life.unit)!;
    if (known.main === life && !known.wasStopped) known.activeExitNs = life.endedNs + 0.1 * MS;
  }

  ask(unit: string, dueNs: number): boolean {
    if (this.#random.chance(0.05)) return false;
    const isSilent = this.#random.chance(0.1);
    const answerNs = isSilent ? dueNs : this.#nowNs() + this.#random.between(1 * MS, 100 * MS);
    this.#questions.push({ unit, answerNs, dueNs });
    return true;
  }

  nextDeadlineNs(): number {
    return Math.min(...this.#questions.map(({ answerNs }) => answerNs));
  }

  look(nowNs: number): void {
    const answers = this.#questions.filter(({ answerNs }) => answerNs <= nowNs);
    for (const question of answers) {
      this.#questions.splice(this.#questions.indexOf(question), 1);
      const { unit, answerNs, dueNs } = question;
      this.answered(unit, answerNs < dueNs ? this.#stateOf(unit) : undefined);
    }
  }

  #stateOf(unit: string): UnitState {
    const { main, activeExitNs, restarts } = this.#units.get(unit)!;
    const hasEnded = main.endedNs <= this.#nowNs();
    const signal = hasEnded ? signalOf(main.waitStatus) : 0;
    const killed = main.waitStatus >= 0x80 ? 3 : 2;
    const code = signal === 0 ? 1 : killed;
    return {
      activeState: hasEnded ? "failed" : "active",
      activeExitUs: activeExitNs / NS_PER_US,
      mainPid: main.pid,
      mainStartUs: main.startedNs / NS_PER_US,
      mainExitUs: hasEnded ? main.endedNs / NS_PER_US : 0,
      mainCode: hasEnded ? code : 0,
      mainStatus: signal === 0 ? exitStatusOf(main.waitStatus) : signal,
      result: hasEnded ? "exit-code" : "success",
      restarts,
    };
  }
}
