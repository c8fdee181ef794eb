// What is promised over the end of a daemon and the start of the next (spec 18), kept beside the
// daemon by one that never ends: a process that fell silent is told once, a healthy one never, a
// stall stays one, nobody is recovered twice, mutes and budgets go on. What happened after the
// state was written that the next daemon began with may be told again, and nothing else.
import { SimulationFailure } from "./failure.ts";
import { BUDGET, GHOST_GRACE_NS, STATE_THRESHOLD_NS } from "./state_daemon.ts";

/** One process from its start to its end; times are true ones of the world. */
export interface Process {
  readonly pid: number;
  readonly generation: number;
  readonly name: string;
  endedNs: number;
  isFrozen: boolean;
  /** One that is frozen is stopped; else it hangs. */
  isStopped: boolean;
  /** Since when it is. */
  frozenNs: number;
  /** It has ended, and another process has its pid: what a mute holds of it is dropped. */
  isReplaced: boolean;
  /** When it was put on a processor last. */
  ranNs: number;
  /** Else it sends for ever to the socket to which it connected first. */
  readonly connectsAgain: boolean;
  /** To which it is connected; NaN = to none yet. */
  socket: number;
  nextBeatNs: number;
  nonce: bigint;
}

/** What the daemons were told of a process and told of it. NaN = never. */
interface Account {
  readonly process: Process;
  heardNs: number;
  /** Of the silence that lasts. */
  stalledNs: number;
  toldNs: number;
  diedToldNs: number;
  recoveredNs: number;
  /** The daemon of now knows it. */
  isKnown: boolean;
  /** When it became a member, and when it was none any more. */
  joinedNs: number;
  leftNs: number;
}

/** What was true when a writing of the state began; what happened until its end may be in it. */
export interface Version {
  readonly atNs: number;
  untilNs: number;
  readonly known: ReadonlySet<Account>;
  readonly mutes: ReadonlyMap<string, number>;
  readonly guard: GuardState;
  readonly ghost: Ghost;
}

/** Of the guard; a rest that is over, or that never was, is NaN. */
export interface GuardState {
  readonly isActive: boolean;
  readonly restNs: number;
}

/** Of the agent that never comes: since when it is expected, and when it was told as missing. */
interface Ghost {
  readonly sinceNs: number;
  readonly toldNs: number;
}

/** Of a daemon that began with nothing. */
const NOTHING = { atNs: Number.NEGATIVE_INFINITY, untilNs: Number.NEGATIVE_INFINITY };
/** Wall clocks are rounded to less than a millisecond. */
const CLOCK_NS_MAX = 1e6;
/** A turn, and the beats that wait for one. */
const SLACK_NS = 0.4e9;
/** An active guard is over after five windows, which may begin a quarter of one after a start. */
const GUARD_NS_MAX = 5.25 * STATE_THRESHOLD_NS;
/** Who may hold a dead connection, and runs, is held until so long after the start. */
const HELD_NS_MAX = 10e9;
/** The first look is in the turn after the start, and counts as one of the start. */
const FIRST_LOOK_NS = 0.1e9;

export class StateLedger {
  readonly counts: Record<string, number> = {
    stalls: 0,
    returns: 0,
    recoveries: 0,
    diedUnseen: 0,
    stayedStalled: 0,
    stayedHeld: 0,
    lostWindow: 0,
    heldByMute: 0,
    muteWentOn: 0,
    windowHeld: 0,
    givenUp: 0,
    cutOffHung: 0,
    cutOffLong: 0,
    guarded: 0,
    guardWentOn: 0,
    restWentOn: 0,
    missing: 0,
    missingEarly: 0,
    stayedMissing: 0,
  };
  nowNs: number;
  /** When the daemon of now began, and whether it began with all that it could have. */
  #lifeNs: number;
  /** Whoever was connected to the daemon before is not to this one. */
  #isAnew = false;
  readonly #accounts = new Map<string, Account>();
  /** By name of an agent: until when it is muted. */
  readonly mutes = new Map<string, number>();
  /** Starts of recoveries of a name that the daemon of now certainly knows of, and all of them. */
  readonly #starts = new Map<string, readonly number[]>();
  readonly #everStarted = new Map<string, number>();
  #guard: GuardState = { isActive: false, restNs: Number.NaN };
  /** It was active before the turn of now and after it. */
  #isGuarding = false;
  /** When it became active, in this life, and when it was so last. */
  #guardBeganNs = Number.NaN;
  #guardLastNs = Number.NEGATIVE_INFINITY;
  /** When it became active or was over. */
  readonly #guardChanges: number[] = [];
  #ghost: Ghost;
  /** When something changed that the next daemon has to know. */
  #changes: number[] = [];

  constructor(nowNs: number) {
    this.nowNs = nowNs;
    this.#lifeNs = nowNs;
    this.#ghost = { sinceNs: nowNs, toldNs: Number.NaN };
  }

  version(): Version {
    const known = [...this.#accounts.values()].filter(({ isKnown }) => isKnown);
    const untilNs = Number.POSITIVE_INFINITY;
    const records = { known: new Set(known), mutes: new Map(this.mutes) };
    return { atNs: this.nowNs, untilNs, ...records, guard: this.#guard, ghost: this.#ghost };
  }

  heard(process: Process): void {
    const key = keyOf(process);
    for (const other of this.#accounts.values())
      if (other.process.pid === process.pid && other.process !== process && other.isKnown)
        this.#left(other);
    const before = this.#accounts.get(key);
    if (before?.isKnown !== true || before.stalledNs > 0) this.changed();
    const account = before ?? {
      process,
      heardNs: Number.NaN,
      stalledNs: Number.NaN,
      toldNs: Number.NaN,
      diedToldNs: Number.NaN,
      recoveredNs: Number.NaN,
      isKnown: true,
      joinedNs: this.nowNs,
      leftNs: Number.NaN,
    };
    this.#accounts.set(key, account);
    if (!account.isKnown) account.joinedNs = this.nowNs;
    account.isKnown = true;
    account.heardNs = this.nowNs;
    account.stalledNs = Number.NaN;
    account.toldNs = Number.NaN;
  }

  /** The guard after a turn; `wasActive`: before it. */
  guardIs(guard: GuardState, wasActive: boolean): void {
    this.#isGuarding = wasActive && guard.isActive;
    if (guard.isActive) this.#guardLastNs = this.nowNs;
    if (guard.isActive !== this.#guard.isActive) {
      this.#guardChanges.push(this.nowNs);
      this.#guardBeganNs = guard.isActive ? this.nowNs : Number.NaN;
      this.changed();
    }
    if (guard.isActive && !this.#guard.isActive) this.counts["guarded"]! += 1;
    this.#guard = guard;
    if (this.nowNs - this.#guardBeganNs > GUARD_NS_MAX + SLACK_NS)
      throw new SimulationFailure("promise: a guard ends", "over", `active at ${this.nowNs}`);
  }

  /** The agent that never comes is reported. */
  missing(): void {
    const { toldNs } = this.#ghost;
    if (toldNs > 0) throw new SimulationFailure("promise: missing is told once", "once", "again");
    if (this.nowNs < this.#ghostDueNs)
      throw new SimulationFailure("promise: a grace is whole", this.#ghostDueNs, this.nowNs);
    if (this.nowNs < this.#lifeNs + GHOST_GRACE_NS) this.counts["missingEarly"]! += 1;
    this.#ghost = { ...this.#ghost, toldNs: this.nowNs };
    this.counts["missing"]! += 1;
    this.changed();
  }

  /** Its grace goes on over a start, after which it has a threshold. */
  get #ghostDueNs(): number {
    const { sinceNs } = this.#ghost;
    const earliestNs = sinceNs < this.#lifeNs ? this.#lifeNs + STATE_THRESHOLD_NS : sinceNs;
    return Math.max(sinceNs + GHOST_GRACE_NS, earliestNs);
  }

  /** The stall of `pid` is exported: it is judged. */
  stalled(pid: number): void {
    const account = this.#of(pid);
    const silentNs = this.nowNs - Math.max(account.heardNs, this.#lifeNs);
    if (silentNs < STATE_THRESHOLD_NS) this.#fail("no false stall", account, `${silentNs} silent`);
    if (this.#isGuarding && Number.isNaN(account.diedToldNs))
      this.#fail("the guard holds", account, "judged");
    if (this.#mayBeCutOff(account)) this.#judgedCutOff(account);
    if (account.stalledNs > 0) this.#fail("a silence is one stall", account, "again");
    account.stalledNs = this.nowNs;
    this.changed();
    this.counts["stalls"]! += 1;
  }

  /** Somebody is told of it. */
  told(pid: number): void {
    const account = this.#of(pid);
    if (Number.isNaN(account.stalledNs)) this.#fail("told is who stalled", account, "told");
    if (account.toldNs > 0) this.#fail("a silence is told once", account, "again");
    if (this.isMuted(account.process.name)) this.#fail("nobody muted is told", account, "told");
    account.toldNs = this.nowNs;
  }

  held(pid: number): void {
    const account = this.#of(pid);
    if (!this.isMuted(account.process.name))
      this.#fail("only muted ones are held", account, "held");
    this.counts["heldByMute"]! += 1;
  }

  recovered(pid: number): void {
    const account = this.#of(pid);
    const { name, endedNs, isFrozen } = account.process;
    if (account.recoveredNs > 0) this.#fail("no recovery is repeated", account, "recovered again");
    if (endedNs > this.nowNs && !isFrozen && this.#isHealthy(account))
      this.#fail("nobody healthy is recovered", account, "recovered");
    if (this.isMuted(name)) this.#fail("nobody muted is recovered", account, "recovered");
    if (this.#isGuarding && Number.isNaN(account.diedToldNs))
      this.#fail("the guard holds recoveries", account, "recovered");
    account.recoveredNs = this.nowNs;
    this.changed();
    const starts = this.#starts.get(name) ?? [];
    this.#starts.set(name, [...starts, this.nowNs]);
    this.#everStarted.set(name, (this.#everStarted.get(name) ?? 0) + 1);
    if (starts.length >= BUDGET)
      this.#fail(`a budget goes on, of ${name}`, account, `start ${starts.length + 1}`);
    this.counts["recoveries"]! += 1;
  }

  diedUnseen(pid: number, generation: number): void {
    const account = this.#accounts.get(`${pid} ${generation}`);
    if (account === undefined)
      throw new SimulationFailure("promise: who died was a member", "one", pid);
    if (account.process.endedNs > this.nowNs) this.#fail("who lives has not died", account, "died");
    if (account.diedToldNs > 0) this.#fail("a death is told once", account, "again");
    account.diedToldNs = this.nowNs;
    this.counts["diedUnseen"]! += 1;
  }

  forgotten(pid: number): void {
    this.#left(this.#of(pid));
    this.changed();
  }

  changed(): void {
    this.#changes.push(this.nowNs);
  }

  /** For how long something has been true that is not in a state of before `atNs`. */
  lostNs(atNs: number): number {
    const first = this.#changes.find((changeNs) => changeNs > atNs);
    return first === undefined ? 0 : this.nowNs - first;
  }

  /** Nothing is done about it. */
  refused(pid: number, reason: string): void {
    const account = this.#of(pid);
    const { recoveredNs, process } = account;
    if (reason === "debounced") {
      if (Number.isNaN(recoveredNs)) this.#fail("only a window holds", account, reason);
      if (recoveredNs < this.#lifeNs) this.counts["windowHeld"]! += 1;
    }
    if (reason !== "gave_up") return;
    const starts = this.#everStarted.get(process.name) ?? 0;
    if (starts < BUDGET) this.#fail("a budget is used up", account, `after ${starts} starts`);
    this.counts["givenUp"]! += 1;
  }

  isMuted(name: string): boolean {
    return (this.mutes.get(name) ?? 0) > this.nowNs;
  }

  /** Who has been silent for long enough is judged, and told unless it is muted. */
  endTurn(): void {
    if (Number.isNaN(this.#ghost.toldNs) && this.#ghostDueNs + SLACK_NS < this.nowNs)
      throw new SimulationFailure("promise: missing is told", this.#ghostDueNs, this.nowNs);
    for (const account of this.#accounts.values()) {
      const { heardNs, isKnown, process, stalledNs, toldNs } = account;
      if (!isKnown) continue;
      const dueNs = this.#mayBeCutOff(account)
        ? this.#cutOffDueNs(account)
        : Math.max(heardNs, this.#lifeNs) + STATE_THRESHOLD_NS;
      if (Math.max(dueNs, this.#guardLastNs) + SLACK_NS > this.nowNs) continue;
      if (Number.isNaN(stalledNs)) this.#fail("no stall is missed", account, `none, due ${dueNs}`);
      const muteEndNs = this.mutes.get(process.name) ?? 0;
      // One of before has its threshold from the start, in which it may be heard.
      const fromNs = Math.max(muteEndNs, this.#lifeNs + STATE_THRESHOLD_NS);
      if (Number.isNaN(toldNs) && fromNs + SLACK_NS < this.nowNs && !process.isReplaced)
        this.#fail("who is not muted any more is told", account, "not told");
    }
  }

  /** It came back, to a socket that was made anew, and nothing of it was heard since. */
  #mayBeCutOff({ heardNs }: Account): boolean {
    return this.#isAnew && heardNs < this.#lifeNs;
  }

  /** Of those only who does not run is judged before the end of that time. */
  #judgedCutOff(account: Account): void {
    const { endedNs, isStopped, ranNs } = account.process;
    const mayRun = endedNs > this.nowNs && !isStopped;
    const isEarly = this.nowNs < this.#lifeNs + HELD_NS_MAX;
    const hasRun = ranNs > this.#lifeNs + FIRST_LOOK_NS && this.nowNs - ranNs < STATE_THRESHOLD_NS;
    if (isEarly && mayRun && hasRun)
      this.#fail("who runs and may be cut off is held", account, "judged");
    this.counts[isEarly ? "cutOffHung" : "cutOffLong"]! += 1;
  }

  /** It is looked at after its threshold, and then after each half of one. */
  #cutOffDueNs({ process }: Account): number {
    const { endedNs, isFrozen, isStopped, frozenNs } = process;
    const endNs = this.#lifeNs + HELD_NS_MAX;
    const from = (ns: number, thresholds: number): number =>
      Math.max(this.#lifeNs + STATE_THRESHOLD_NS, ns + thresholds * STATE_THRESHOLD_NS);
    if (endedNs <= this.nowNs) return Math.min(endNs, from(endedNs, 0.5));
    if (!isFrozen) return endNs;
    // That one hangs is known by two looks that find it where it was.
    const hungNs = Math.max(from(frozenNs, 1.5), this.#lifeNs + 2 * STATE_THRESHOLD_NS);
    return Math.min(endNs, isStopped ? from(frozenNs, 0.5) : hungNs);
  }

  /**
   * The next daemon begins, with a state of `version`; undefined = with nothing. `foundOf` says
   * what it has of a process, `mutes` who is muted and until when.
   */
  restarted(restart: Restart): void {
    const { version, foundOf, mutes, isAnew } = restart;
    this.#lifeNs = this.nowNs;
    this.#restoreGuard(restart);
    this.#restoreGhost(restart);
    this.#isAnew = isAnew;
    this.#changes = [];
    const { atNs, untilNs } = version ?? NOTHING;
    for (const account of this.#accounts.values()) {
      const found = foundOf(account.process);
      const wasKnown = version?.known.has(account) === true;
      const { leftNs, joinedNs } = account;
      if (wasKnown && found === "none" && !(leftNs > atNs && leftNs <= untilNs))
        this.#fail("who was a member comes back", account, "not");
      if (!wasKnown && found !== "none" && !(joinedNs > atNs && joinedNs <= untilNs))
        this.#fail("who was none stays so", account, "came back");
      account.isKnown = found !== "none";
      if (account.isKnown) this.#resetLost(account, atNs, found);
    }
    for (const [name, starts] of this.#starts)
      this.#starts.set(
        name,
        starts.filter((startNs) => startNs <= atNs),
      );
    this.#restoreMutes(version, mutes);
  }

  /** Whoever died while nobody watched, or just before, has been told of by now. */
  toldDead(): void {
    for (const account of this.#accounts.values()) {
      const { isKnown, process, diedToldNs } = account;
      if (isKnown && process.endedNs <= this.nowNs && Number.isNaN(diedToldNs))
        this.#fail("who died unseen is told", account, "not");
    }
  }

  /** What was after the state was written may be said again. */
  #resetLost(account: Account, atNs: number, found: Found): void {
    const { heardNs, stalledNs, toldNs } = account;
    const isStalled = found !== "listening";
    if (account.diedToldNs > atNs) account.diedToldNs = Number.NaN;
    if (heardNs > atNs) {
      // It may have come back meanwhile: its silence of before is one that was told.
      account.stalledNs = isStalled ? atNs : Number.NaN;
      account.toldNs = found === "held" ? Number.NaN : account.stalledNs;
      return;
    }
    if (stalledNs <= atNs) {
      if (!isStalled) this.#fail("stalled stays stalled", account, "not");
      if (found === "held" && toldNs <= atNs) this.#fail("what was told is told", account, found);
      if (found === "stalled" && Number.isNaN(toldNs) && !account.process.isReplaced)
        this.#fail("held is held", account, found);
      if (found === "held") account.toldNs = Number.NaN;
      this.counts[found === "held" ? "stayedHeld" : "stayedStalled"]! += 1;
      return;
    }
    if (isStalled && Number.isNaN(stalledNs))
      this.#fail("only who stalled is stalled", account, "stalled");
    if (found === "held") account.toldNs = Number.NaN;
    if (isStalled || Number.isNaN(stalledNs)) return;
    account.stalledNs = Number.NaN;
    account.toldNs = Number.NaN;
    this.counts["lostWindow"]! += 1;
  }

  #restoreGuard({ version, guard, isSameBoot }: Restart): void {
    this.#guard = guard;
    this.#guardBeganNs = guard.isActive ? this.nowNs : Number.NaN;
    this.#guardLastNs = guard.isActive ? this.nowNs : Number.NEGATIVE_INFINITY;
    if (version === undefined || !isSameBoot) {
      if (guard.isActive || guard.restNs > this.nowNs)
        throw new SimulationFailure("promise: a guard begins anew", "none", guard);
      return;
    }
    const { atNs, untilNs, guard: before, known } = version;
    if (this.#guardChanges.some((changeNs) => changeNs > atNs && changeNs <= untilNs)) return;
    const isLeft = [...known].every(({ process }) => process.endedNs <= this.nowNs);
    if (before.isActive && !guard.isActive && !isLeft)
      throw new SimulationFailure("promise: a guard goes on", "active", guard);
    if (guard.isActive && !before.isActive)
      throw new SimulationFailure("promise: only an active guard is active", "none", guard);
    if (before.restNs > this.nowNs && !(Math.abs(guard.restNs - before.restNs) < CLOCK_NS_MAX))
      throw new SimulationFailure("promise: a rest goes on", before.restNs, guard.restNs);
    if (guard.isActive) this.counts["guardWentOn"]! += 1;
    if (before.restNs > this.nowNs) this.counts["restWentOn"]! += 1;
  }

  #restoreGhost({ version, isGhostMissing, isSameBoot }: Restart): void {
    const nothing = { sinceNs: this.nowNs, toldNs: Number.NaN };
    const { atNs, untilNs } = version ?? NOTHING;
    const { toldNs, sinceNs } = version === undefined ? nothing : this.#ghostOf(version);
    if (isGhostMissing ? !(toldNs <= untilNs) : toldNs <= atNs)
      throw new SimulationFailure("promise: missing stays missing", toldNs, isGhostMissing);
    if (isGhostMissing) this.counts["stayedMissing"]! += 1;
    this.#ghost = {
      sinceNs: isSameBoot ? sinceNs : this.nowNs,
      toldNs: isGhostMissing ? toldNs : Number.NaN,
    };
  }

  /** What was told while the state was written may be in it. */
  #ghostOf({ ghost, atNs, untilNs }: Version): Ghost {
    const { toldNs } = this.#ghost;
    return Number.isNaN(ghost.toldNs) && toldNs > atNs && toldNs <= untilNs
      ? { ...ghost, toldNs }
      : ghost;
  }

  /** A mute that began while the state was written may be in it. */
  #restoreMutes(version: Version | undefined, found: ReadonlyMap<string, number>): void {
    for (const [name, untilNs] of version?.mutes ?? []) {
      if (untilNs <= this.nowNs || this.mutes.get(name) !== untilNs) continue;
      const foundNs = found.get(name) ?? 0;
      if (Math.abs(foundNs - untilNs) > CLOCK_NS_MAX)
        throw new SimulationFailure(`promise: a mute goes on, of ${name}`, untilNs, foundNs);
      this.counts["muteWentOn"]! += 1;
    }
    this.mutes.clear();
    for (const [name, untilNs] of found) this.mutes.set(name, untilNs);
  }

  /** Another boot: what was told is about processes that are over. */
  rebooted(): void {
    this.#accounts.clear();
  }

  #left(account: Account): void {
    account.isKnown = false;
    account.leftNs = this.nowNs;
  }

  #isHealthy({ heardNs }: Account): boolean {
    return this.nowNs - heardNs < STATE_THRESHOLD_NS;
  }

  /** The process of `pid` that the daemon of now knows. */
  #of(pid: number): Account {
    const found = [...this.#accounts.values()].findLast(
      ({ process, isKnown }) => process.pid === pid && isKnown,
    );
    if (found === undefined)
      throw new SimulationFailure("promise: it is about a member", "one", `pid ${pid}`);
    return found;
  }

  #fail(promise: string, { process }: Account, found: string): never {
    const who = `pid ${process.pid} of ${process.generation}`;
    throw new SimulationFailure(`promise: ${promise}, ${who}`, "kept", `${found} at ${this.nowNs}`);
  }
}

interface Restart {
  readonly version: Version | undefined;
  readonly foundOf: (process: Process) => Found;
  readonly mutes: ReadonlyMap<string, number>;
  readonly guard: GuardState;
  readonly isGhostMissing: boolean;
  readonly isSameBoot: boolean;
  /** The socket of the daemon before is no more. */
  readonly isAnew: boolean;
}

/** What a daemon has of a process at its start. */
export type Found = "none" | "listening" | "stalled" | "held";

function keyOf({ pid, generation }: Pick<Process, "pid" | "generation">): string {
  return `${pid} ${generation}`;
}
