// A world in which the daemon does not live long: agents beat, freeze, end and are started again,
// somebody mutes and forgets, and the daemon is killed at any step of its work and of its writing,
// or shut down, or goes with its machine. The next one finds what was left: a whole file, a torn or
// changed one, an old one, none, or one of another boot.
import { type ReadState, readState } from "../../src/snapshot/decoder.ts";
import type { FiredEntry } from "../../src/recovery/fired_entry.ts";
import { DANA } from "../daemon/acts_harness.ts";
import { SimulationFailure } from "./failure.ts";
import type { Random } from "./random.ts";
import { SimulatedDisk } from "./simulated_disk.ts";
import { STATE_PATH, STATE_THRESHOLD_NS, StateDaemon } from "./state_daemon.ts";
import {
  type Found,
  type GuardState,
  type Process,
  StateLedger,
  type Version,
} from "./state_ledger.ts";

const NAMES = ["worker", "api", "db"];
const PROCESSES_MAX = 24;
const PIDS = 120;
/** One that takes a pid over sooner, with the nonce that came next, is seen in the next look. */
const PID_REUSED_AFTER_NS = 6e9;
const PERIOD_NS = STATE_THRESHOLD_NS / 4;
const STEP_NS_MAX = STATE_THRESHOLD_NS / 10;
/** The state is written every 2 s at most; and the steps in which a writing is done. */
const STATE_EVERY_NS = 2e9;
/** True time of the first start. */
const STARTED_NS = 1e12;
const WALL_MS = 1_700_000_000_000;

/** How a life ends, or what happens to the file before the next one. */
type Ending = "kill" | "shutdown" | "torn" | "changed" | "old" | "removed" | "reboot";
const ENDINGS: readonly Ending[] = [
  ...["kill", "kill", "kill", "kill", "shutdown", "shutdown"],
  ...["torn", "changed", "old", "removed", "reboot"],
] as Ending[];

interface Written {
  readonly bytes: Uint8Array;
  readonly version: Version;
}

export class StateWorld {
  readonly ledger = new StateLedger(STARTED_NS);
  readonly endings = new Map<string, number>();
  /** The longest time for which a kill took away what had changed. */
  lostNsMax = 0;
  readonly #random: Random;
  readonly #disk: SimulatedDisk;
  readonly #processes = new Map<number, Process>();
  #journal: FiredEntry[] = [];
  #daemon: StateDaemon;
  #nowNs = STARTED_NS;
  #boot = 1;
  /** Clock of the daemon of now minus true time. */
  #epochNs = 0;
  /** Of the daemon of now: another number if it had to make its socket anew. */
  #socket = 1;
  /** Beginnings of writings, the last one last. */
  #begun: Version[] = [];
  #written: Written[] = [];
  #renames = 0;
  /** The longest that the daemon of now had to wait for a writing. */
  #writingNsMax = 0;

  constructor(random: Random, breakIt: (daemon: StateDaemon) => void = () => {}) {
    this.#random = random;
    this.#disk = new SimulatedDisk(random);
    this.#breakIt = breakIt;
    this.#daemon = this.#newDaemon();
    this.#daemon.restore(undefined, true);
  }

  readonly #breakIt: (daemon: StateDaemon) => void;

  /** Some time passes, things happen, the disk does something, and the daemon runs its turns. */
  async step(): Promise<void> {
    const random = this.#random;
    this.#pass(random.between(1, STEP_NS_MAX));
    if (random.chance(0.3)) this.#mishap();
    if (random.chance(0.01)) this.#freezeMost();
    const beating = this.#beat();
    for (let turns = 0; turns < 3; turns++) this.#turn(turns === 0 ? beating : []);
    if (random.chance(0.04)) this.#mute();
    if (random.chance(0.02)) this.#forget();
    this.#daemon.keep();
    for (let count = random.below(8); count > 0; count--) await this.#advance();
  }

  /** The daemon ends in some way, time passes, and another begins with what there is. */
  async restart(): Promise<void> {
    const random = this.#random;
    const ending = random.pick(ENDINGS);
    this.endings.set(ending, (this.endings.get(ending) ?? 0) + 1);
    if (ending === "shutdown") await this.#shutdown();
    else {
      this.#isLossBounded();
      this.#disk.crash();
    }
    const found = this.#leave(ending);
    for (let away = 1 + random.below(30); away > 0; away--) {
      this.#pass(random.between(1, STEP_NS_MAX));
      if (random.chance(0.3)) this.#mishap();
    }
    if (ending === "reboot") this.#reboot();
    this.#begin(found);
  }

  get #now(): Process[] {
    return [...this.#processes.values()].filter(({ endedNs }) => endedNs > this.#nowNs);
  }

  #pass(ns: number): void {
    this.#nowNs += ns;
    this.ledger.nowNs = this.#nowNs;
    this.#daemon.clock.ns = this.#nowNs + this.#epochNs;
    for (const process of this.#now) if (!process.isFrozen) process.ranNs = this.#nowNs;
  }

  #mishap(): void {
    const random = this.#random;
    const living = this.#now;
    if (living.length < PROCESSES_MAX && random.chance(0.5)) this.#start();
    if (living.length === 0) return;
    const process = random.pick(living);
    const luck = random.below(16);
    if (luck < 4) this.#end(process);
    else if (luck < 10) this.#freeze(process, luck < 7);
  }

  #start(): void {
    const random = this.#random;
    const pid = 100 + random.below(PIDS);
    const before = this.#processes.get(pid);
    const { endedNs = Number.NEGATIVE_INFINITY } = before ?? {};
    if (this.#nowNs - endedNs < PID_REUSED_AFTER_NS) return;
    if (before !== undefined) before.isReplaced = true;
    const process: Process = {
      pid,
      generation: Math.floor(this.#nowNs / 1e6),
      name: random.pick(NAMES),
      endedNs: Number.POSITIVE_INFINITY,
      isFrozen: false,
      isStopped: false,
      isReplaced: false,
      frozenNs: Number.NaN,
      ranNs: this.#nowNs,
      connectsAgain: random.chance(0.5),
      socket: Number.NaN,
      nextBeatNs: this.#nowNs,
      nonce: 1n,
    };
    this.#processes.set(pid, process);
    this.#show(process);
  }

  #end(process: Process): void {
    process.endedNs = this.#nowNs;
    this.#daemon.processes.table.delete(process.pid);
    this.#daemon.identities.table.delete(process.pid);
  }

  /** As a machine that swaps does; and somebody may let all go on again. */
  #freezeMost(): void {
    const isFrozen = this.#random.chance(0.6);
    for (const process of this.#now)
      if (!isFrozen || this.#random.chance(0.8)) this.#freeze(process, isFrozen);
  }

  /** It is stopped, or hangs: then it is not put on a processor, and nothing says why. */
  #freeze(process: Process, isFrozen: boolean): void {
    if (isFrozen && !process.isFrozen) {
      process.isStopped = this.#random.chance(0.5);
      process.frozenNs = this.#nowNs;
    }
    process.isFrozen = isFrozen;
    process.isStopped &&= isFrozen;
  }

  #show({ pid, generation, name }: Process): void {
    this.#daemon.processes.set(pid, generation);
    this.#daemon.identities.table.set(pid, { comm: name });
    this.#daemon.identities.startTimes.set(pid, generation);
  }

  /** Who beats now; the daemon hears it in its next turn. */
  #beat(): readonly Process[] {
    const beating = this.#now.filter(
      ({ isFrozen, nextBeatNs }) => !isFrozen && nextBeatNs <= this.#nowNs,
    );
    const sent = beating.map((process) => {
      process.nextBeatNs = this.#nowNs + PERIOD_NS;
      return { process, nonce: process.nonce++ };
    });
    const arriving = sent.filter(({ process }) => this.#reaches(process));
    for (const { process, nonce } of arriving) this.#daemon.beatAs(process.pid, nonce);
    return arriving.map(({ process }) => process);
  }

  /** Who is connected to a socket that is no more sends into nothing, unless it looks. */
  #reaches(process: Process): boolean {
    if (process.connectsAgain || Number.isNaN(process.socket)) process.socket = this.#socket;
    return process.socket === this.#socket;
  }

  #turn(beating: readonly Process[]): void {
    const { isActive = false } = this.#daemon.guardMemory ?? {};
    const lines = this.#daemon.turn();
    this.ledger.guardIs(this.#guardNow, isActive);
    for (const line of lines) this.#told(line);
    for (const process of beating) this.ledger.heard(process);
    for (const child of this.#daemon.runner.children.splice(0)) child.exited(1, Number.NaN);
    this.ledger.endTurn();
  }

  #told(line: string): void {
    const [what = "", number, mark] = line.replace(/^export /, "export-").split(" ");
    const pid = Number(number);
    if (what === "export-stall") this.ledger.stalled(pid);
    else if (what === "stalled" && mark === "muted") this.ledger.held(pid);
    else if (what === "stalled") this.ledger.told(pid);
    else if (what === "began") this.ledger.recovered(pid);
    else if (what === "refused") this.ledger.refused(pid, mark!);
    else if (what === "missing") this.ledger.missing();
    else if (what === "back") this.ledger.counts["returns"]! += 1;
  }

  #mute(): void {
    const name = this.#random.pick(NAMES);
    const forNs = this.#random.between(1, 5 * STATE_THRESHOLD_NS);
    const answer = this.#daemon.acts.mute({ target: name, forNs, reason: "" }, DANA);
    if ("error" in answer) return;
    this.ledger.mutes.set(name, this.#nowNs + forNs);
    this.ledger.changed();
  }

  #forget(): void {
    const { pid } = this.#random.pick([...this.#processes.values(), { pid: 0 }]);
    if (!("error" in this.#daemon.acts.forget(`${pid}`, DANA))) this.ledger.forgotten(pid);
  }

  async #advance(): Promise<void> {
    await this.#disk.advance();
    if (this.#disk.renames === this.#renames) return;
    this.#renames = this.#disk.renames;
    const version = this.#begun.at(-1)!;
    version.untilNs = this.#nowNs;
    this.#written.push({ bytes: this.#disk.files.get(STATE_PATH)!, version });
    this.#writingNsMax = Math.max(this.#writingNsMax, this.#nowNs - version.atNs);
  }

  /** A kill takes away no more than what changed in the last 2 s, and in a writing. */
  #isLossBounded(): void {
    const written = this.#written.at(-1)?.version;
    const begun = this.#begun.at(-1);
    const underWayNs = begun === undefined || begun === written ? 0 : this.#nowNs - begun.atNs;
    const lostNs = this.ledger.lostNs(written?.atNs ?? Number.NEGATIVE_INFINITY);
    const boundNs = STATE_EVERY_NS + Math.max(this.#writingNsMax, underWayNs) + STEP_NS_MAX;
    if (lostNs > boundNs)
      throw new SimulationFailure("promise: a loss is bounded", `${boundNs} at most`, lostNs);
    this.lostNsMax = Math.max(this.lostNsMax, lostNs);
  }

  async #shutdown(): Promise<void> {
    let isOver = false;
    const closing = this.#daemon.writer.close().then(() => {
      isOver = true;
    });
    while (!isOver) {
      await this.#advance();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closing;
  }

  /** What the next daemon will find. */
  #leave(ending: Ending): Written | undefined {
    const { files } = this.#disk;
    const last = this.#written.at(-1);
    if (ending === "removed") files.delete(STATE_PATH);
    if (last === undefined || ending === "removed") return undefined;
    if (ending === "torn")
      files.set(STATE_PATH, last.bytes.subarray(0, this.#random.below(last.bytes.length)));
    if (ending === "changed") {
      const changed = last.bytes.slice();
      changed[this.#random.below(changed.length)]! ^= 1 << this.#random.below(8);
      files.set(STATE_PATH, changed);
    }
    if (ending === "torn" || ending === "changed") return undefined;
    if (ending !== "old") return last;
    const old = this.#random.pick(this.#written);
    files.set(STATE_PATH, old.bytes);
    return old;
  }

  #reboot(): void {
    this.#boot += 1;
    this.ledger.rebooted();
    this.#processes.clear();
    this.#journal = [];
  }

  #begin(expected: Written | undefined): void {
    this.#daemon = this.#newDaemon();
    for (const process of this.#now) this.#show(process);
    const state = this.#read(expected);
    const isAnew = this.#random.chance(0.5);
    if (isAnew) this.#socket += 1;
    const died = this.#daemon.restore(state, isAnew);
    const version = state === undefined ? undefined : expected!.version;
    this.ledger.restarted({
      version,
      foundOf: (process) => this.#foundOf(process),
      mutes: this.#mutesNow(),
      guard: this.#guardNow,
      isGhostMissing: this.#daemon.expected.missingCount > 0,
      isSameBoot: state !== undefined && state.moment.bootId === this.#bootId,
      isAnew,
    });
    for (const { pid, generation } of died) this.ledger.diedUnseen(pid, generation);
    this.ledger.toldDead();
    this.#written = expected === undefined ? [] : [expected];
  }

  /** A file that is whole is believed, and one that is not never is. */
  #read(expected: Written | undefined): ReadState | undefined {
    const bytes = this.#disk.files.get(STATE_PATH);
    const decoded = bytes === undefined ? undefined : readState(bytes);
    const isBelieved = decoded?.ok === true;
    if (isBelieved !== (expected !== undefined))
      throw new SimulationFailure("promise: what is whole is believed", !isBelieved, isBelieved);
    return decoded?.ok === true ? decoded.state : undefined;
  }

  #foundOf({ pid, generation }: Process): Found {
    const { tracker } = this.#daemon.observer;
    const slot = tracker.slotOf(pid);
    if (slot < 0 || tracker.slots.generation[slot] !== generation) return "none";
    if (!tracker.table.slots.isLatched(slot)) return "listening";
    return this.#daemon.recovery.held.wordOf(pid) === "untold" ? "held" : "stalled";
  }

  /** In true times. */
  get #guardNow(): GuardState {
    const { isActive = false, restNs = Number.NaN } = this.#daemon.guardMemory ?? {};
    return { isActive, restNs: restNs - this.#epochNs };
  }

  #mutesNow(): Map<string, number> {
    const mutes = this.#daemon.muting.mutes.list();
    return new Map(
      mutes.map(({ target, untilNs }) => [
        target.kind === "agent" ? target.name : "",
        untilNs - this.#epochNs,
      ]),
    );
  }

  get #bootId(): string {
    return `boot ${this.#boot}`;
  }

  #newDaemon(): StateDaemon {
    const epochNs = this.#random.between(1, 1e12);
    this.#epochNs = epochNs - this.#nowNs;
    const unixMs = WALL_MS + this.#nowNs / 1e6;
    this.#begun = [];
    this.#writingNsMax = 0;
    const daemon = new StateDaemon({
      epochNs,
      unixMsAtStart: unixMs - epochNs / 1e6,
      calls: this.#disk.calls(),
      journal: this.#journal,
      here: (observerNs) => ({
        bootId: this.#bootId,
        timeNamespace: 1,
        pidNamespace: 1,
        observerNs,
        monotonicNs: this.#nowNs,
        boottimeNs: this.#nowNs,
        unixMs: WALL_MS + this.#nowNs / 1e6,
      }),
      writes: () => void this.#begun.push(this.ledger.version()),
      mayRun: (pid) => {
        const process = this.#processes.get(pid);
        return process !== undefined && process.endedNs > this.#nowNs && !process.isStopped;
      },
      runsOf: (pid) => this.#processes.get(pid)?.ranNs ?? Number.NaN,
    });
    this.#breakIt(daemon);
    return daemon;
  }
}
