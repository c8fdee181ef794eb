// A world of mutes: agents that beat, fall silent and come back, and somebody who mutes, unmutes,
// recovers by hand and forgets at random, over the real turn, recovery, mutes and acts. Beside it a
// literal model of who is muted until when, and what is promised of a mute, checked in each turn.
import type { MuteTarget } from "../../src/agents/mutes.ts";
import { ActsHarness, DANA } from "../daemon/acts_harness.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { SimulationFailure } from "./failure.ts";
import type { Random } from "./random.ts";

const COMMANDS = ["worker", "worker-2", "api"];
const AGENTS = 12;
const FIRST_PID = 100;

interface Agent {
  readonly pid: number;
  readonly command: string;
  isSilent: boolean;
  /** Of its silence: it stalled; it was told of; it was muted when it stalled. */
  isStalled: boolean;
  isTold: boolean;
}

interface ModelMute {
  readonly text: string;
  readonly pids: readonly number[];
  readonly untilNs: number;
}

export interface MuteCoverage {
  mutes: number;
  heldStalls: number;
  toldLater: number;
  cameBackMuted: number;
  byHand: number;
  forgotten: number;
}

export class MuteWorld {
  readonly coverage: MuteCoverage = {
    mutes: 0,
    heldStalls: 0,
    toldLater: 0,
    cameBackMuted: 0,
    byHand: 0,
    forgotten: 0,
  };
  readonly #random: Random;
  readonly #harness = new ActsHarness({ command: ["/bin/recover", "{pid}"] });
  readonly #agents: Agent[];
  #mutes: ModelMute[] = [];
  /** Who may be recovered although it is muted, in this turn. */
  readonly #asked = new Set<number>();

  constructor(random: Random, breakIt: (harness: ActsHarness) => void = () => {}) {
    this.#random = random;
    this.#agents = Array.from({ length: AGENTS }, (_, index) => ({
      pid: FIRST_PID + index,
      command: COMMANDS[index % COMMANDS.length]!,
      isSilent: false,
      isStalled: false,
      isTold: false,
    }));
    breakIt(this.#harness);
    this.#harness.watch(Object.fromEntries(this.#agents.map(({ pid, command }) => [pid, command])));
  }

  step(): void {
    const random = this.#random;
    this.#asked.clear();
    for (const agent of this.#agents) if (random.chance(0.04)) agent.isSilent = !agent.isSilent;
    if (random.chance(0.15)) this.#mute();
    if (random.chance(0.05)) this.#unmute();
    if (random.chance(0.05)) this.#recover();
    if (random.chance(0.1)) this.#forget();
    this.#pass();
  }

  /** All mutes end and nobody beats any more: whoever is stalled was told of, once. */
  end(): void {
    this.#harness.acts.unmute(undefined, DANA);
    this.#mutes = [];
    for (let turns = 0; turns < 4; turns++) this.#turn();
    for (const { pid, isStalled, isTold } of this.#agents)
      if (isStalled && !isTold)
        throw new SimulationFailure("promise: nothing is lost in a mute", `pid ${pid} told`, "not");
  }

  get #nowNs(): number {
    return this.#harness.observer.clock.lastNs;
  }

  #pass(): void {
    const { clock } = this.#harness;
    // Often to the very end of a mute, or to the nanosecond before it.
    const ends = this.#mutes.map(({ untilNs }) => untilNs - clock.ns).filter((ns) => ns > 1);
    const usualNs = this.#random.between(1, THRESHOLD_NS / 4);
    const soonest = Math.min(...ends);
    const isNear = soonest < THRESHOLD_NS / 4 && this.#random.chance(0.7);
    clock.ns += isNear ? soonest - this.#random.below(2) : usualNs;
    const beating = this.#agents.filter(({ isSilent }) => !isSilent).map(({ pid }) => pid);
    this.#harness.beat(...beating);
    // A turn ends what is due; what that lets go is reported in the next.
    for (let turns = 0; turns < 3; turns++) this.#turn();
    for (const child of this.#harness.runner.children.splice(0)) child.exited(0, Number.NaN);
    this.#toldInTime();
  }

  #turn(): void {
    for (const line of this.#harness.turn()) this.#heard(line);
    this.#mutes = this.#mutes.filter(({ untilNs }) => untilNs > this.#nowNs);
  }

  #heard(line: string): void {
    const [what = "", number, mark] = line.replace(/^export /, "export-").split(" ");
    const agent = this.#agents.find(({ pid }) => pid === Number(number));
    if (agent === undefined) return;
    const isMuted = this.#isMuted(agent.pid);
    const fail = (promise: string): never => {
      throw new SimulationFailure(`promise: ${promise}, pid ${agent.pid}`, "kept", line);
    };
    switch (what) {
      case "export-stall":
        if (agent.isStalled) fail("a stall is exported once");
        agent.isStalled = true;
        return;
      case "stalled":
        if (mark === "muted") {
          if (!isMuted) fail("only who is muted is held");
          this.coverage.heldStalls += 1;
          return;
        }
        if (isMuted) fail("nobody is told of who is muted");
        if (!agent.isStalled) fail("only who is stalled is told of");
        if (agent.isTold) fail("each is told of once");
        agent.isTold = true;
        return;
      case "began":
        if (isMuted && !this.#asked.has(agent.pid)) fail("nothing is recovered in a mute");
        return;
      case "back":
        if (!agent.isTold) this.coverage.cameBackMuted += 1;
        agent.isStalled = false;
        agent.isTold = false;
        return;
    }
  }

  /** A mute holds for its time and not a moment longer. */
  #toldInTime(): void {
    for (const { pid, isStalled, isTold } of this.#agents)
      if (isStalled && !isTold && !this.#isMuted(pid))
        throw new SimulationFailure(
          `promise: who is not muted any more is told of, pid ${pid}`,
          "told",
          `not at ${this.#nowNs}`,
        );
  }

  #isMuted(pid: number): boolean {
    return this.#mutes.some(({ pids, untilNs }) => pids.includes(pid) && untilNs > this.#nowNs);
  }

  #mute(): void {
    const [text, pids] = this.#drawTarget();
    const forNs = this.#random.between(1, 6 * THRESHOLD_NS);
    const answer = this.#harness.acts.mute({ target: text, forNs, reason: "" }, DANA);
    if ("error" in answer) return;
    this.coverage.mutes += 1;
    const key = text ?? "*";
    this.#mutes = this.#mutes.filter((mute) => mute.text !== key);
    this.#mutes.push({ text: key, pids, untilNs: this.#nowNs + forNs });
  }

  #unmute(): void {
    const [text] = this.#drawTarget();
    const untold = this.#agents.filter(({ isStalled, isTold }) => isStalled && !isTold).length;
    this.#harness.acts.unmute(text, DANA);
    this.#mutes = this.#mutes.filter((mute) => text !== undefined && mute.text !== text);
    const free = this.#agents.filter(
      ({ pid, isStalled, isTold }) => isStalled && !isTold && !this.#isMuted(pid),
    );
    this.coverage.toldLater += untold > 0 ? free.length : 0;
  }

  #recover(): void {
    const { pid } = this.#random.pick(this.#agents);
    const isForced = this.#random.chance(0.5);
    const answer = this.#harness.acts.recover({ target: `${pid}`, isForced }, DANA);
    if ("error" in answer) return;
    this.#asked.add(pid);
    this.coverage.byHand += 1;
  }

  #forget(): void {
    const agent = this.#random.pick(this.#agents);
    if ("error" in this.#harness.acts.forget(`${agent.pid}`, DANA)) return;
    this.coverage.forgotten += 1;
    if (!agent.isStalled)
      throw new SimulationFailure("promise: what beats is not forgotten", "refused", agent.pid);
    agent.isStalled = false;
    agent.isTold = false;
  }

  /** What is asked for, and whom it means. */
  #drawTarget(): [string | undefined, number[]] {
    const { pid, command } = this.#random.pick(this.#agents);
    const pidsOf = (isMeant: (command: string) => boolean): number[] =>
      this.#agents.filter((one) => isMeant(one.command)).map((one) => one.pid);
    const kind: MuteTarget["kind"] = this.#random.pick(["agent", "agent", "glob", "member", "all"]);
    if (kind === "all") return [undefined, pidsOf(() => true)];
    if (kind === "member") return [`${pid}`, [pid]];
    if (kind === "glob") return ["work*", pidsOf((one) => one.startsWith("work"))];
    return [command, pidsOf((one) => one === command)];
  }
}

/** Time that a run covers at least, in steps. */
export const MUTE_STEPS = 400;
