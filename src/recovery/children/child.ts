// One recovery child, and the lists it moves through: running -> terminating (SIGTERM sent) ->
// killed (SIGKILL sent) -> exited (reported, waiting to be handled) -> draining (the end of its
// output is awaited). A child is in exactly one list at a time, so a child that has exited is never
// signalled because of a timeout, and the head of a list is always its oldest member.
import type { DecisionReason } from "../../events/outcome_words.ts";
import type { OfMember } from "../../events/outcome.ts";
import type { Stall } from "../../events/stall.ts";
import type { StepPlace } from "../../events/step_kind.ts";
import type { ChildOutput } from "./child_output.ts";

/** Why a child may not be started beside the one that the agent has. */
export interface InTheWay {
  readonly reason: DecisionReason;
  readonly error: string;
}

export type ChildAgent = Pick<Stall, "pid" | "key" | "agent" | "generation" | "verdict">;

export class Child {
  /** The recovery that started it; 0 until that has begun. */
  recoveryId = 0;
  /** The plan of that recovery, and the step of it. */
  readonly plan: string;
  readonly place: StepPlace;
  /** The agent it was started for: a pid of it, and its number. */
  readonly pid: number;
  readonly agent: number;
  /** The tracker's key of the agent. */
  readonly key: number;
  readonly generation: number;
  /** What it was doing; "" = that was not looked at. */
  readonly verdict: OfMember["verdict"];
  readonly spawnNs: number;
  /** Its own pid, process group and session; 0 until it is started. */
  childPid = 0;
  /** When the first signal was sent to it; NaN while none was. */
  killStartNs = NaN;
  /** True if another process has taken over the pid of its agent. */
  isOrphan = false;
  /** True once its exit was reported, with the numbers of the report. */
  hasExited = false;
  exitCode = NaN;
  signal = NaN;
  /** When its exit was first handled; NaN before. */
  exitNs = NaN;
  /** Undefined while nothing is captured. */
  output: ChildOutput | undefined = undefined;

  /** Owned by `ChildList`. */
  list: ChildList | undefined = undefined;
  previous: Child | undefined = undefined;
  next: Child | undefined = undefined;

  constructor(agent: ChildAgent, spawnNs: number, place: StepPlace, plan: string) {
    this.pid = agent.pid;
    this.agent = agent.agent;
    this.key = agent.key;
    this.generation = agent.generation;
    this.verdict = agent.verdict?.verdict ?? "";
    this.spawnNs = spawnNs;
    this.place = place;
    this.plan = plan;
  }

  get isKillStarted(): boolean {
    return !Number.isNaN(this.killStartNs);
  }
}

export class ChildList {
  #head: Child | undefined = undefined;
  #tail: Child | undefined = undefined;
  #count = 0;

  get head(): Child | undefined {
    return this.#head;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes `child` out of the list it is in and puts it at the end of this one. */
  append(child: Child): void {
    child.list?.remove(child);
    child.list = this;
    child.previous = this.#tail;
    if (this.#tail === undefined) this.#head = child;
    else this.#tail.next = child;
    this.#tail = child;
    this.#count += 1;
  }

  remove(child: Child): void {
    if (child.previous === undefined) this.#head = child.next;
    else child.previous.next = child.next;
    if (child.next === undefined) this.#tail = child.previous;
    else child.next.previous = child.previous;
    child.list = undefined;
    child.previous = undefined;
    child.next = undefined;
    this.#count -= 1;
  }
}
