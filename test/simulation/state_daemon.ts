// One life of a daemon that keeps its state: the real turn, recovery and mutes, restored from the
// bytes that the life before it left, and written by the real writer to a disk that the world holds
// up.
import { ExpectedAgents } from "../../src/agents/expected_agents.ts";
import { decidedFromNs, missingRecords } from "../../src/daemon/restored_stalls.ts";
import { nameRestored } from "../../src/daemon/restored_names.ts";
import type { MemberRule } from "../../src/agents/rules.ts";
import { restoreState } from "../../src/daemon/restored_state.ts";
import { stateMark } from "../../src/daemon/state_mark.ts";
import { type StateParts, stateRows } from "../../src/daemon/state_rows.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import type { FileCalls } from "../../src/files/append_file.ts";
import { Guard, type GuardMemory } from "../../src/observer/guard.ts";
import { CutOffMembers } from "../../src/observer/cut_off.ts";
import type { FiredEntry } from "../../src/recovery/fired_entry.ts";
import type { FiredNotes } from "../../src/recovery/fired_notes.ts";
import type { Here } from "../../src/snapshot/continuation.ts";
import type { ReadState } from "../../src/snapshot/decoder.ts";
import { StateWriter } from "../../src/snapshot/state_writer.ts";
import { ActsHarness } from "../daemon/acts_harness.ts";
import { beatOf } from "../support/scripted_listener.ts";

export const STATE_PATH = "/state";
export const STATE_THRESHOLD_NS = 1e9;
/** Longer than a run: no process is recovered twice. */
const DEBOUNCE_NS = 3_600e9;
/** No process has that name, and the daemon expects one; for so long it may come yet. */
const GHOST = "ghost";
export const GHOST_GRACE_NS = 6e9;
/** With fewer members the guard is never active. */
const GUARDED_MIN = 6;
/** Recoveries of one name in a run. */
export const BUDGET = 5;

const RULE: MemberRule = {
  ...{ index: 0, name: undefined, bindsOwner: false },
  ...{ lateNs: Number.POSITIVE_INFINITY, graceNs: 0, thresholdNs: STATE_THRESHOLD_NS },
  ...{ thresholdMinNs: STATE_THRESHOLD_NS, thresholdMaxNs: STATE_THRESHOLD_NS },
};

export interface StateDaemonOptions {
  /** Its clock begins there. */
  readonly epochNs: number;
  /** Unix time of its clock's zero. */
  readonly unixMsAtStart: number;
  readonly calls: FileCalls;
  /** What the lives before it noted of recoveries; a kill takes nothing of it away. */
  readonly journal: FiredEntry[];
  readonly here: (observerNs: number) => Here;
  /** A writing begins: what is true now will be in it. */
  readonly writes: () => void;
  /** Nothing stops the process of a pid. */
  readonly mayRun: (pid: number) => boolean;
  /** How often it was put on a processor. */
  readonly runsOf: (pid: number) => number;
}

export class StateDaemon extends ActsHarness {
  readonly writer: StateWriter;
  readonly cutOff: CutOffMembers;
  readonly #options: StateDaemonOptions;
  readonly #parts: StateParts;
  readonly #guard: Guard;
  readonly expected: ExpectedAgents;
  #mark = Number.NaN;

  constructor(options: StateDaemonOptions) {
    const settings = { isOn: true, share: 0.5, membersMin: GUARDED_MIN, windowNs: undefined };
    // It hears itself at any time: what it waits for is that the others are silent still.
    const guard = new Guard(settings, { isKept: false, sentNs: 0, tookNs: 0 });
    super({
      guard,
      command: ["/bin/recover", "{pid}"],
      thresholdNs: STATE_THRESHOLD_NS,
      keepsFacts: true,
      recovery: {
        config: { debounceNs: DEBOUNCE_NS, budget: BUDGET, paceBy: "agent" },
        unixMsAtStart: () => options.unixMsAtStart,
        policyOf: ({ agent }) => ({
          name: this.observer.tracker.table.agents.nameOf(agent),
          recovery: undefined,
        }),
      },
    });
    this.#options = options;
    this.#guard = guard;
    this.clock.ns = options.epochNs;
    // Without a rule one user alone is too little for the guard.
    this.identification.changeRules(() => RULE);
    const { table } = this.observer.tracker;
    const { history, storm } = this.recovery;
    const { mayRun, runsOf } = options;
    this.cutOff = new CutOffMembers({
      tracker: this.observer.tracker,
      reader: { mayRun, runsOf },
      // Looks take no time.
      monotonicNs: () => 0,
    });
    table.agents.reserve([{ name: GHOST, bindsOwner: false }]);
    this.expected = new ExpectedAgents({
      agents: table.agents,
      expected: [],
      reports: this.muting,
      pausedNs: () => 0,
      graceNsMin: 0,
    });
    const ghost = { name: GHOST, expected: 1, graceNs: GHOST_GRACE_NS };
    this.expected.change([{ ...ghost, thresholdNs: STATE_THRESHOLD_NS }], options.epochNs);
    this.#parts = {
      table,
      names: {
        ruleName: () => "",
        listenerName: () => this.listener.name,
        stallOf: (slot) => ({
          verdict: "",
          stalledNs: table.slots.isLatched(slot) ? this.observer.clock.lastNs : Number.NaN,
          isRecovering: this.recovery.isRecovering(table.slots.key[slot]!),
        }),
        heldOf: (key) => this.recovery.held.wordOf(key),
      },
      mutes: this.muting.mutes,
      ...{ history, storm },
      senders: new Map(),
      missing: () => missingRecords(this),
      auditHead: () => undefined,
      graces: () => this.expected.graces(),
      told: () => [],
      guard: () => guard.memory(this.observer.clock.lastNs),
    };
    this.writer = new StateWriter({
      path: STATE_PATH,
      calls: options.calls,
      rows: (isFinal) => {
        options.writes();
        const moment = { ...options.here(this.clock.ns), version: "simulated", isFinal };
        return stateRows(this.#parts, moment);
      },
    });
  }

  /**
   * Before the first turn; those who died while nobody watched. `isAnew`: the socket to which they
   * were connected is no more.
   */
  restore(
    state: ReadState | undefined,
    isAnew: boolean,
  ): readonly { pid: number; generation: number }[] {
    const { observer, recovery, muting, processes, identification } = this;
    const nowNs = observer.nowNs();
    const here = this.#options.here(nowNs);
    if (state === undefined) {
      this.#useJournal({ bootId: here.bootId, isSameBoot: true, moment: undefined }, nowNs);
      return [];
    }
    const restored = restoreState(
      state,
      {
        table: observer.tracker.table,
        mutes: muting.mutes,
        ...{ history: recovery.history, storm: recovery.storm },
        senders: new Map(),
        listenerNumber: (name) => (name === this.listener.name ? 0 : undefined),
        hasEnded: (pid, startTime) => processes.hasEnded(pid, startTime),
      },
      { here, isBoottime: false, instantNs: nowNs },
    );
    const { members, moment, otherBoot } = restored;
    const isSameBoot = otherBoot === "";
    this.#useJournal({ bootId: here.bootId, isSameBoot, moment }, nowNs);
    nameRestored(members, identification, nowNs);
    const dead: { pid: number; generation: number }[] = [];
    const alive: number[] = [];
    for (const [slot, { record, diedUnseen }] of [...members].entries()) {
      const { held, isStalled, hasEnded, pid, generation } = record;
      if (held !== "" && isStalled) {
        const stall = observer.silence.stalls.rowOf(slot, nowNs);
        const lastsNs = { thresholdNs: STATE_THRESHOLD_NS };
        const fromNs = decidedFromNs(lastsNs, diedUnseen || hasEnded, nowNs);
        recovery.held.restore(stall, held === "told", fromNs);
      }
      if (!diedUnseen) alive.push(slot);
      else {
        observer.tracker.table.end(slot);
        dead.push({ pid, generation });
      }
    }
    this.cutOff.begin(Int32Array.from(alive), new Set(isAnew ? [0] : []), nowNs);
    const windowNsMax = alive.length > 0 ? STATE_THRESHOLD_NS : 0;
    if (restored.guard !== undefined)
      observer.silence.guarded!.restore(restored.guard, nowNs, windowNsMax);
    this.expected.restore(restored.missing);
    this.expected.restoreGraces(restored.graces, nowNs);
    observer.tracker.checkInvariants();
    return dead;
  }

  #useJournal(state: Parameters<FiredNotes["use"]>[1], nowNs: number): void {
    const { journal } = this.#options;
    this.recovery.notes.use(
      {
        found: [...journal],
        saysProgress: true,
        began: (entry) => journal.push(entry) - 1,
        goesOn: (line, entry) => {
          journal[line] = entry;
          return true;
        },
        settle: () => {},
        forget: (line) => void journal.splice(line, 1),
      },
      state,
      nowNs,
    );
  }

  override onOutcome(outcome: RecoveryOutcome): void {
    if (outcome.kind === "refused") this.diary.push(`refused ${outcome.pid} ${outcome.reason}`);
    else super.onOutcome(outcome);
  }

  /** What it would leave of the guard now. */
  get guardMemory(): GuardMemory | undefined {
    return this.#guard.memory(this.clock.ns);
  }

  /** A beat that the next turn takes. */
  beatAs(pid: number, nonce: bigint): void {
    this.listener.queue([beatOf(pid, { nonce })]);
  }

  override turn(): string[] {
    const diary = super.turn();
    const nowNs = this.observer.clock.lastNs;
    if (this.cutOff.nextDeadlineNs() <= nowNs) this.cutOff.maintain(nowNs);
    this.expected.maintain(nowNs);
    diary.push(...this.diary.splice(0));
    return diary;
  }

  /** What a turn does with the state: a change is noted, and a slice of it written. */
  keep(): void {
    const mark = stateMark(this, 0);
    if (mark !== this.#mark) this.writer.changed(this.clock.ns);
    this.#mark = mark;
    this.writer.maintain(this.clock.ns);
  }
}
