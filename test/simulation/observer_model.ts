// The observer as specs 03, 04, 05 and 08 describe it, slow and literal: it takes its own copy of
// the datagrams and says what the daemon must do with each of them, in which order, and who falls
// silent when. Built from the slow twins of tracker, frame and token bucket; nothing of the code
// under test is used.
import { referenceDecode, referenceDecodeInner } from "../reference/frame.ts";
import { ReferenceTokenBucket } from "../reference/token_bucket.ts";
import { referenceControlDatagram } from "../reference/control_datagram.ts";
import {
  beginsAnew,
  isAnother,
  ReferenceTracker,
  type ReferenceSlot,
} from "../reference/tracker.ts";
import { GuardModel } from "./guard_model.ts";
import { IdentificationModel } from "./identification_model.ts";
import { type InnerClaim, InnerPidModel } from "./inner_pid_model.ts";
import { type DecodedFrame, decodeErrorRow, lateText, type ModelStall, row } from "./model_rows.ts";
import type { Datagram, Link } from "./network.ts";
import type { CountingReader, ProcessTable } from "./process_table.ts";
import type { Scenario } from "./scenario.ts";
import { SelfBeatModel } from "./self_beat_model.ts";
import type { SelfBeatWorld } from "./self_beat_world.ts";
import type { SimulatedClock } from "./simulated_clock.ts";

const SECOND_NS = 1_000_000_000;
const TERMINAL = 2n ** 64n - 1n;
const KERNEL = 0;
const OPERATOR = 1;
const SOCKET_MODE = 2;
const NETWORK = 3;
const BYE = 2;
/** What a hello or a bye has nothing of. */
const NO_FRAME = { status: 0, timestamp: 0n, payload: 0n } as const;

export interface LinkAccount {
  received: number;
  accepted: number;
  readonly rejected: Map<string, number>;
}

interface LinkState {
  readonly link: Link;
  readonly account: LinkAccount;
  failures: number;
  /** A frame may be taken for a self-beat of an earlier daemon: one at most. */
  mayInherit: boolean;
  /** Without having seen the socket empty. */
  takenInARow: number;
  suspendedUntilNs: number;
  /** Its socket was seen empty after this moment, in the clock of start times. */
  emptyGeneration: number;
  /** The last receive from it began at this one. */
  receivedGeneration: number;
}

export interface ObserverModelOptions {
  readonly scenario: Scenario;
  readonly links: readonly Link[];
  readonly processes: CountingReader;
  readonly table: ProcessTable;
  /** The clock of start times at a true time. */
  readonly generationAt: (trueNs: number) => number;
  readonly readPidMax: () => number;
  readonly selfBeats: Pick<SelfBeatWorld, "underWayNs" | "wasSent">;
}

export class ObserverModel {
  readonly tracker: ReferenceTracker;
  readonly identification: IdentificationModel;
  readonly innerPids: InnerPidModel;
  readonly selfBeat: SelfBeatModel;
  /** Undefined = the daemon has none. */
  readonly guard: GuardModel | undefined;
  /** When the identity of a slot was last looked up, and who took its last beat. */
  readonly lookedUpNs = new WeakMap<ReferenceSlot, number>();
  readonly listenerOf = new WeakMap<ReferenceSlot, number>();
  /** How much more each slot may beat: one second's worth, at least eight beats. */
  readonly #allowances = new WeakMap<ReferenceSlot, ReferenceTokenBucket>();
  /** Slots whose process has sent a beat itself. */
  readonly proven = new WeakSet<ReferenceSlot>();
  /** When the sockets must be read again, so that a next beat can prove its sender. */
  lookNs = Number.POSITIVE_INFINITY;
  readonly links: readonly LinkState[];
  /** The last pump ended by its budget or its time. */
  cutOff = false;
  /** Of this turn: event rows, and conflicts of two known namespaces. */
  rows: string[] = [];
  stalls: ModelStall[] = [];
  /** Of this turn: members that were found late. */
  lates: string[] = [];
  /**
   * Stalls that had to be reported early, because a batch brought the return of an agent; not yet
   * decided. They come before that batch, unless they were judged after it was received.
   */
  told: ModelStall[] = [];
  /** Of this turn: rows and early stalls in the order in which they are reported. */
  sequence: (string | ModelStall)[] = [];
  lookups = 0;
  ioErrors = 0;
  readonly decodeErrors = new Map<string, number>();
  /** Hellos and byes that were taken: they are no beats. */
  greetings = 0;
  /** By pid, when its whole allowance of them is there again. */
  readonly #greetedNs = new Map<number, number>();
  /** Times something happened that a reader of the summary wants to know about. */
  readonly seen = {
    resumed: 0,
    retired: 0,
    terminalBypass: 0,
    worseBypass: 0,
    contained: 0,
    judgedInFlood: 0,
    judgePoints: 0,
    deferred: 0,
    foundFull: 0,
    fullByPause: 0,
    putOff: 0,
  };

  pidMax: number;
  clock: SimulatedClock | undefined = undefined;
  nowNs = 0;
  /** The wait that was announced before this turn. */
  plannedNs = 0;
  #listenedNs: number | undefined = undefined;
  #sleptNs = 0;
  #pauseEndNs = Number.NEGATIVE_INFINITY;
  readonly #options: ObserverModelOptions;
  readonly #bucket: ReferenceTokenBucket;
  readonly #foundEmpty = new Set<LinkState>();
  #cursor = 0;
  #visitedNs = 0;
  #consumedSinceJudge = 0;
  /** There was a pause, and not all is heard that waited at its end. */
  #hearsOut = false;
  #heardOutNs = 0;
  #offeredNs = 0;
  /** The last judge point judged nobody, because of a pause right before it. */
  #wasPutOff = false;
  #pidMaxReadNs = 0;

  constructor(options: ObserverModelOptions) {
    const { scenario, processes } = options;
    this.#options = options;
    this.tracker = new ReferenceTracker({
      capacity: scenario.capacity,
      room: scenario.room,
      policy: scenario.evictionPolicy,
      window: scenario.evictionScanWindow,
      startTime: (pid) => known(processes.startTime(pid)),
      hasEnded: (pid, startTime) => processes.hasEnded(pid, startTime),
    });
    this.innerPids = new InnerPidModel(processes);
    this.identification = new IdentificationModel(scenario, this.tracker, options.table);
    this.selfBeat = new SelfBeatModel({
      listeners: options.links.length,
      wasSent: () => options.selfBeats.wasSent,
      nowNs: () => this.nowNs,
      trueNs: () => this.clock!.trueNs,
    });
    this.guard =
      scenario.guard &&
      new GuardModel({
        settings: scenario.guard,
        tracker: this.tracker,
        selfBeat: this.selfBeat,
        hasRule: (slot) => this.identification.hasRule(slot),
        nowNs: () => this.nowNs,
      });
    this.#bucket = new ReferenceTokenBucket(scenario.globalRate, scenario.globalBurst);
    this.links = options.links.map((link) => ({
      link,
      account: { received: 0, accepted: 0, rejected: new Map() },
      failures: 0,
      mayInherit: true,
      takenInARow: 0,
      suspendedUntilNs: 0,
      emptyGeneration: options.generationAt(0),
      receivedGeneration: Number.NaN,
    }));
    this.pidMax = scenario.readsPidMax ? options.readPidMax() : 2 ** 32 - 1;
  }

  /** The rule of the scenario has other terms now, and the tracker other sizes. */
  reload(): void {
    const { rule, thresholdNs, capacity, evictionPolicy, evictionScanWindow } =
      this.#options.scenario;
    const sizes = { capacity, policy: evictionPolicy, window: evictionScanWindow };
    Object.assign(this.tracker, sizes);
    const others = { thresholdNs, lateNs: Number.POSITIVE_INFINITY, graceNs: 0 };
    this.tracker.changeAll(this.nowNs, (pid) =>
      this.identification.hasRule(this.tracker.find(pid)!) ? rule! : others,
    );
  }

  /** Spec 04 section 3: returns the datagrams consumed. */
  pump(clock: SimulatedClock, budget: number, budgetNs: number): number {
    this.clock = clock;
    let consumed = 0;
    let emptyInARow = 0;
    let endNs = Number.NaN;
    while (consumed < budget && emptyInARow < this.links.length && !(this.#visitedNs > endNs)) {
      const rowsBefore = this.rows.length;
      const resumedBefore = this.seen.resumed;
      const count = this.#visit(this.links[this.#cursor]!, this.#cursor);
      if (Number.isNaN(endNs)) endNs = this.#visitedNs + budgetNs;
      this.#cursor = (this.#cursor + 1) % this.links.length;
      this.#judgePoint();
      const rows = this.rows.slice(rowsBefore);
      const early = this.seen.resumed > resumedBefore ? this.stalls.splice(0) : [];
      this.told.push(...early);
      const judgedBefore = early.length > 0 && early[0]!.observerNs <= this.#visitedNs;
      this.sequence.push(...(judgedBefore ? [...early, ...rows] : [...rows, ...early]));
      emptyInARow = count > 0 ? 0 : emptyInARow + 1;
      consumed += count;
    }
    this.cutOff = emptyInARow < this.links.length;
    return consumed;
  }

  maybeRefreshPidMax(): void {
    if (!this.#options.scenario.readsPidMax) return;
    if (this.nowNs - this.#pidMaxReadNs < 60 * SECOND_NS) return;
    this.#pidMaxReadNs = this.nowNs;
    this.pidMax = this.#options.readPidMax();
  }

  nextDeadline(): number {
    const guardNs = this.guard?.nextDeadlineNs(this.nowNs) ?? Number.POSITIVE_INFINITY;
    return Math.min(this.tracker.nextDeadline(), this.lookNs, guardNs);
  }

  rejectedTotal(reason: string): number {
    return this.links.reduce((sum, { account }) => sum + (account.rejected.get(reason) ?? 0), 0);
  }

  /** The clamped clock of spec 04 section 8. */
  #readClock(): number {
    this.nowNs = Math.max(this.nowNs, this.clock!.rawNs);
    return this.nowNs;
  }

  /**
   * Spec 12 section 8: between two readings of the clock there was more time than the planned wait
   * and the gap that is allowed.
   */
  #listen(nowNs: number): boolean {
    const gapNsMax = this.#options.scenario.pauseGapNs;
    const sinceNs = this.#listenedNs;
    const gapNs = nowNs - (sinceNs ?? nowNs) - this.plannedNs;
    const plannedNs = this.plannedNs;
    this.#listenedNs = nowNs;
    this.plannedNs = 0;
    if (gapNsMax === undefined || sinceNs === undefined || gapNs <= gapNsMax) return false;
    // What the machine slept is silence, and no pause.
    const sleptNs = this.#sleptNs;
    this.#sleptNs = this.clock!.asleepTotalNs;
    const pausedNs = gapNs - (this.#sleptNs - sleptNs);
    if (pausedNs <= gapNsMax) return true;
    // One that stands alone has its wait, and every agent a whole threshold after it.
    const beforeNs = this.tracker.pauses.at(-1)?.endNs ?? Number.NEGATIVE_INFINITY;
    const anew = sinceNs - beforeNs >= 8 * gapNsMax;
    this.#pauseEndNs = nowNs;
    this.tracker.pauses.push({ endNs: nowNs, ns: anew ? pausedNs + plannedNs : pausedNs, anew });
    return true;
  }

  /** Spec 04 section 4: all that waits is heard before anybody is judged. */
  #pauseIsOver(): void {
    if (this.#hearsOut) return;
    this.#hearsOut = true;
    this.#heardOutNs = 0;
    this.#offeredNs = this.nowNs;
    this.#consumedSinceJudge = 0;
    this.#foundEmpty.clear();
  }

  /** Spec 12 section 8: beats were refused because of a pause, so no silence of before counts. */
  #lookForFullQueue(state: LinkState, count: number, nowNs: number): void {
    const { queueLength = Number.POSITIVE_INFINITY } = state.link.options;
    state.takenInARow += count;
    const isFull = state.takenInARow >= queueLength;
    if (isFull || count < 64) state.takenInARow = 0;
    if (!isFull) return;
    this.seen.foundFull += 1;
    const { pauseGapNs } = this.#options.scenario;
    const endNs = this.#pauseEndNs;
    if (pauseGapNs === undefined || nowNs - endNs > 4 * pauseGapNs) return;
    this.seen.fullByPause += 1;
    this.tracker.fullNs = nowNs;
  }

  #visit(state: LinkState, listenerNumber: number): number {
    const nowNs = this.#readClock();
    this.#visitedNs = nowNs;
    if (this.#listen(nowNs)) this.#pauseIsOver();
    if (nowNs >= this.lookNs) this.lookNs = Number.POSITIVE_INFINITY;
    const isSuspended = state.failures > 0 && nowNs < state.suspendedUntilNs;
    if (isSuspended) {
      this.#foundEmpty.add(state);
      return 0;
    }
    const generation = this.#options.generationAt(this.clock!.trueNs);
    state.receivedGeneration = generation;
    const taken = state.link.modelEnd.take();
    this.clock!.afterReceive(typeof taken === "number" ? 0 : taken.length);
    this.#lookForFullQueue(state, typeof taken === "number" ? 0 : taken.length, nowNs);
    if (typeof taken === "number") {
      this.#failed(state, listenerNumber, -taken, nowNs);
      return 0;
    }
    state.failures = 0;
    if (taken.length < 64) this.#foundEmpty.add(state);
    for (const datagram of taken) this.#take(state, listenerNumber, datagram, nowNs);
    // What was taken may have been sent before the socket was empty: it counts from the next
    // datagram on.
    if (taken.length < 64) state.emptyGeneration = generation;
    this.#consumedSinceJudge += taken.length;
    return taken.length;
  }

  /** Spec 12 section 1: after 8 failures in a row a listener is tried once per second. */
  #failed(state: LinkState, listenerNumber: number, errno: number, nowNs: number): void {
    this.#foundEmpty.add(state);
    this.ioErrors += 1;
    this.rows.push(row.io(listenerNumber, nowNs, errno));
    state.failures = Math.min(8, state.failures + 1);
    if (state.failures === 8) state.suspendedUntilNs = nowNs + SECOND_NS;
  }

  /** Spec 04 section 4: what waits is heard, or it was a second's worth of it. */
  #isHeardOut(): boolean {
    if (!this.#hearsOut) return this.#consumedSinceJudge >= 4_096;
    const { pauseGapNs = Number.POSITIVE_INFINITY } = this.#options.scenario;
    this.#heardOutNs += Math.min(this.nowNs - this.#offeredNs, pauseGapNs);
    this.#offeredNs = this.nowNs;
    return this.#consumedSinceJudge >= 65_536 || this.#heardOutNs >= SECOND_NS;
  }

  /** Spec 04 section 4. */
  #judgePoint(): void {
    const allEmpty = this.#foundEmpty.size === this.links.length;
    if (!allEmpty && !this.#isHeardOut()) return;
    if (!allEmpty) this.seen.judgedInFlood += 1;
    this.#foundEmpty.clear();
    this.#consumedSinceJudge = 0;
    this.seen.judgePoints += 1;
    if (this.stalls.length > 0) {
      this.seen.deferred += 1;
      return;
    }
    const nowNs = this.#readClock();
    const hasPaused = this.#listen(nowNs);
    this.#hearsOut = false;
    this.#wasPutOff = hasPaused && !this.#wasPutOff;
    if (this.#wasPutOff) {
      this.seen.putOff += 1;
      this.#pauseIsOver();
      return;
    }
    this.guard?.look(nowNs);
    const { judgeLimit } = this.#options.scenario;
    const look = (slot: ReferenceSlot) => this.identification.beforeJudged(slot, nowNs);
    const drained = this.tracker.drain(nowNs, undefined, judgeLimit, look);
    for (const pid of this.tracker.lates) {
      const { lastNs, lane } = this.tracker.find(pid)!;
      this.lates.push(lateText({ pid, observerNs: nowNs, lastNs, ...lane }));
    }
    for (const { kind, pid } of drained) {
      if (kind === "stall") this.stalls.push(this.#stallOf(this.tracker.find(pid)!, nowNs));
      else this.seen.retired += 1;
    }
  }

  #stallOf(slot: ReferenceSlot, nowNs: number): ModelStall {
    return {
      pid: slot.pid,
      nonce: slot.observedNonce,
      lastNs: slot.lastNs,
      observerNs: nowNs,
      origin: slot.origin,
      namespaceInode: slot.namespaceInode,
      generation: slot.generation,
      uid: slot.uid,
      proven: this.proven.has(slot),
      status: slot.status,
      payload: slot.payload,
      listener: this.listenerOf.get(slot)!,
      thresholdNs: slot.lane.thresholdNs,
      rule: this.identification.hasRule(slot) ? 0 : 65_535,
      isContained: this.innerPids.isContained(slot),
    };
  }

  /** The table of spec 04 section 5. */
  #take(state: LinkState, listenerNumber: number, datagram: Datagram, nowNs: number): void {
    if (datagram.selfBeatNs !== undefined) {
      if (this.#options.selfBeats.underWayNs.get(listenerNumber) !== datagram.selfBeatNs) return;
      this.selfBeat.round(listenerNumber, datagram.selfBeatNs, this.clock!.trueNs);
      // What a daemon before it left came ahead of it.
      state.mayInherit = false;
      return;
    }
    if (state.mayInherit && isInherited(state.link, datagram)) {
      state.mayInherit = false;
      return;
    }
    state.account.received += 1;
    const reason = this.#reasonAgainst(state, listenerNumber, datagram, nowNs);
    if (reason === undefined) state.account.accepted += 1;
    else state.account.rejected.set(reason, (state.account.rejected.get(reason) ?? 0) + 1);
  }

  #reasonAgainst(
    { link, emptyGeneration, receivedGeneration }: LinkState,
    listenerNumber: number,
    datagram: Datagram,
    nowNs: number,
  ): string | undefined {
    const { kind, allowUids, acceptRecovery } = link.options;
    const { bytes, credentials, controlTruncated } = datagram;
    const isUnix = kind === "unix";
    const token = () => this.#pay(nowNs);

    if (isUnix && controlTruncated) {
      if (!token()) return "rate_global";
      this.rows.push(row.ctrlTruncated(listenerNumber, nowNs));
      return "ctrl_truncated";
    }
    const isControl = bytes.length === 64;
    if (bytes.length !== 32 && !isControl) return "wrong_size";
    if (isUnix && credentials === undefined) {
      if (!token()) return "rate_global";
      this.rows.push(row.io(listenerNumber, nowNs, 0));
      this.ioErrors += 1;
      return "no_credentials";
    }
    const mayBeInner = isUnix && link.options.containers && credentials!.pid !== 0;
    const greeting = isControl ? referenceControlDatagram(bytes, mayBeInner ? 1 : 2) : undefined;
    if (greeting?.error !== undefined) return token() ? "decode" : "rate_global";
    const decode = mayBeInner ? referenceDecodeInner : referenceDecode;
    const decoded = greeting === undefined ? decode(bytes) : { ...NO_FRAME, ...greeting };
    if (decoded.error !== undefined) {
      if (!token()) return "rate_global";
      this.rows.push(decodeErrorRow(listenerNumber, nowNs, decoded.error, decoded.operands));
      this.decodeErrors.set(decoded.error, (this.decodeErrors.get(decoded.error) ?? 0) + 1);
      return "decode";
    }
    const stated: DecodedFrame = {
      ...decoded,
      pid: Number(decoded.pid),
      payload: Number(decoded.payload),
    };
    const peerPid = isUnix ? credentials!.pid : 0;
    let claim: InnerClaim | undefined;
    if (peerPid !== 0) {
      if (allowUids !== undefined && !allowUids.includes(credentials!.uid)) {
        if (!token()) return "rate_global";
        this.rows.push(row.authFailure(listenerNumber, nowNs, stated.pid, "uid"));
        return "uid";
      }
      if (peerPid !== stated.pid) {
        const { innerPids, tracker } = this;
        if (mayBeInner) claim = innerPids.claim(stated.pid, peerPid, tracker.find(peerPid), nowNs);
        if (claim === undefined) {
          if (!token()) return "rate_global";
          this.rows.push(row.authFailure(listenerNumber, nowNs, stated.pid, "pid"));
          return "pid";
        }
      }
    }
    const frame = claim === undefined ? stated : { ...stated, pid: peerPid };
    if (frame.pid > this.pidMax) return token() ? "pid_above_max" : "rate_global";
    const origin = originOf(isUnix, peerPid, acceptRecovery);
    const uid = peerPid === 0 ? undefined : credentials!.uid;
    // Where the kernel says whether the sender is there, its word decides.
    const { kernelVouches } = link.options;
    const isOld = (startTime: number) =>
      startTime < (kernelVouches ? receivedGeneration : emptyGeneration);
    const isThere = () =>
      !kernelVouches || (datagram.sender !== undefined && link.canSend(datagram));
    const { processes } = this.#options;
    const proof: Proof = {
      mayBe: isOld,
      is: (startTime) => isOld(startTime) && isThere() && processes.realUid(frame.pid) === uid,
    };
    return this.#admit(
      listenerNumber,
      frame,
      { peerPid, uid, origin, proof, mayBeInner, claim, control: greeting?.kind ?? 0 },
      nowNs,
    );
  }

  /** Rows 2 and 6 to 9: the limiters, the identity and the namespace gate. */
  #admit(
    listenerNumber: number,
    frame: DecodedFrame,
    sender: Sender,
    nowNs: number,
  ): string | undefined {
    const { scenario } = this.#options;
    const { peerPid, origin, proof, mayBeInner, control } = sender;
    const slot = this.tracker.find(frame.pid);
    const isControl = control !== 0;
    const terminalAfterRegular =
      slot !== undefined &&
      frame.nonce === TERMINAL &&
      slot.observedNonce !== TERMINAL &&
      (slot.terminalTimestamp === undefined || frame.timestamp > slot.terminalTimestamp);
    const worsens = slot !== undefined && !isControl && frame.status > slot.status;
    const isTooSoon = slot !== undefined && !isControl && !this.#allowances.get(slot)!.has(nowNs);
    const isItself = slot !== undefined && peerPid !== 0 && slot.origin === origin;
    if (isControl) {
      const refusal = this.#greetingRefusal(frame.pid, isItself, nowNs);
      if (refusal !== undefined) return refusal;
    }
    if (isTooSoon && !terminalAfterRegular && !worsens) {
      if (isItself) slot.aliveNs = nowNs;
      return "rate_per_pid";
    }
    const isKnown = this.#isKnown(frame, slot, origin, peerPid);
    let bypassesGlobal = terminalAfterRegular && peerPid === frame.pid;
    if (bypassesGlobal) this.seen.terminalBypass += 1;
    else if (!isControl && !this.#pay(nowNs, isKnown)) {
      if (!worsens || !isKnown) {
        if (isItself) slot.aliveNs = nowNs;
        return "rate_global";
      }
      bypassesGlobal = true;
    }
    if (worsens && (isTooSoon || bypassesGlobal)) this.seen.worseBypass += 1;

    const identity =
      peerPid === 0
        ? { inode: undefined, generation: undefined, proven: false, wasRead: false }
        : this.#identity(frame, slot, proof, nowNs);
    if (mayBeInner) {
      const claim = this.#ownNumber(frame, sender, identity, nowNs);
      if (claim === "wrong") {
        if (identity.wasRead && slot !== undefined) this.lookedUpNs.set(slot, nowNs);
        if (bypassesGlobal && !this.#pay(nowNs)) return "rate_global";
        const statedPid = sender.claim?.innerPid ?? frame.pid;
        this.rows.push(row.authFailure(listenerNumber, nowNs, statedPid, "pid"));
        return "pid";
      }
      sender = { ...sender, claim };
    } else if (!scenario.allowCrossNamespace && identity.inode !== undefined) {
      const observerInode = known(scenario.observerInode);
      if (identity.inode !== observerInode) {
        if (identity.wasRead && slot !== undefined) this.lookedUpNs.set(slot, nowNs);
        if (bypassesGlobal && !this.#pay(nowNs)) return "rate_global";
        const bothKnown = observerInode !== undefined;
        this.rows.push(
          row.namespaceConflict(listenerNumber, nowNs, frame.pid, identity.inode, bothKnown),
        );
        return "cross_namespace";
      }
    }
    return this.#track(listenerNumber, frame, sender, identity, nowNs, bypassesGlobal);
  }

  /** Spec 01 section 9.3: four a second, four at once; then a token. */
  #greetingRefusal(pid: number, isItself: boolean, nowNs: number): string | undefined {
    const wholeNs = Math.max(this.#greetedNs.get(pid) ?? 0, nowNs);
    if (wholeNs - nowNs > 0.75 * SECOND_NS) return "rate_per_pid";
    this.#greetedNs.set(pid, wholeNs + SECOND_NS / 4);
    return this.#pay(nowNs, isItself) ? undefined : "rate_global";
  }

  /** Whoever is in a container states its number there, and nothing else. */
  #ownNumber(
    frame: DecodedFrame,
    { claim, peerPid }: Sender,
    identity: Identity,
    nowNs: number,
  ): InnerClaim | "wrong" | undefined {
    const own = known(this.#options.scenario.observerInode);
    const isForeign = identity.inode !== undefined && identity.inode !== own;
    if (claim === undefined && !isForeign) return undefined;
    const slot = this.tracker.find(peerPid);
    const stated = claim ?? this.innerPids.claim(frame.pid, peerPid, slot, nowNs);
    if (stated === undefined) return "wrong";
    return this.innerPids.confirms(stated, identity, peerPid, nowNs) ? stated : "wrong";
  }

  /** Row 10. */
  #track(
    listenerNumber: number,
    frame: DecodedFrame,
    { uid, origin, claim, control }: Sender,
    identity: Identity,
    nowNs: number,
    isUnpaid: boolean,
  ): string | undefined {
    const { tracker } = this;
    const before = tracker.find(frame.pid);
    const wasStalled = before?.latched === true;
    const beat = {
      frame,
      nowNs,
      thresholdNs: this.#options.scenario.thresholdNs,
      origin,
      namespaceInode: identity.inode,
      generation: identity.generation,
      uid,
    };
    // A bye of who is not here.
    const isIdle = control === BYE && (before === undefined || isAnother(before, beat));
    const outcome =
      control === 0 ? tracker.record(beat) : tracker.greet(control === BYE ? "bye" : "hello", beat);
    const slot = isIdle ? undefined : tracker.find(frame.pid);
    if (outcome === "Inserted") {
      this.lookedUpNs.set(slot!, Number.NEGATIVE_INFINITY);
      this.proven.delete(slot!);
    }
    if (slot !== undefined && identity.wasRead) this.lookedUpNs.set(slot, nowNs);
    switch (outcome) {
      case "Inserted":
      case "Refreshed": {
        if (control !== 0) {
          this.greetings += 1;
          if (slot !== undefined && identity.proven) this.proven.add(slot);
          else if (!identity.proven && identity.generation !== undefined)
            this.lookNs = nowNs + 12_000_000;
          if (slot === undefined) return undefined;
          this.innerPids.accepted(slot, claim, outcome === "Inserted");
          if (outcome === "Refreshed") return undefined;
          this.listenerOf.set(slot, listenerNumber);
          this.#allowances.set(slot, this.#fullAllowance());
          return undefined;
        }
        this.listenerOf.set(slot!, listenerNumber);
        if (outcome === "Inserted") this.#allowances.set(slot!, this.#fullAllowance());
        this.#allowances.get(slot!)!.force(nowNs);
        this.innerPids.accepted(slot!, claim, outcome === "Inserted");
        if (claim !== undefined) this.seen.contained += 1;
        if (identity.proven) this.proven.add(slot!);
        else if (identity.generation !== undefined) this.lookNs = nowNs + 12_000_000;
        const resumed = wasStalled && outcome === "Refreshed";
        if (resumed) this.seen.resumed += 1;
        const position = tracker.slots.indexOf(slot!);
        this.rows.push(row.beat(listenerNumber, nowNs, frame, origin, identity, position, resumed));
        return undefined;
      }
      case "OriginConflict":
        if (!isUnpaid || this.#pay(nowNs))
          this.rows.push(
            row.originConflict(listenerNumber, nowNs, frame.pid, origin, slot!.origin),
          );
        return "origin_conflict";
      case "NamespaceConflict":
        if (!isUnpaid || this.#pay(nowNs)) {
          const bothKnown = identity.inode !== undefined;
          this.rows.push(
            row.namespaceConflict(listenerNumber, nowNs, frame.pid, identity.inode, bothKnown),
          );
        }
        return "namespace_conflict";
      case "OutOfOrder":
        return "out_of_order";
      case "CapacityExceeded":
        return "capacity";
    }
  }

  #fullAllowance(): ReferenceTokenBucket {
    const { perPidRate } = this.#options.scenario;
    return new ReferenceTokenBucket(perPidRate, Math.max(8, perPidRate));
  }

  /** Spec 04 section 7: a quarter of the burst is kept for beats of known agents. */
  #pay(nowNs: number, isKnown = false): boolean {
    const { globalBurst } = this.#options.scenario;
    return this.#bucket.tryTake(nowNs, isKnown ? 0 : Math.floor(globalBurst / 4));
  }

  #isKnown(
    frame: DecodedFrame,
    slot: ReferenceSlot | undefined,
    origin: number,
    peerPid: number,
  ): boolean {
    if (slot === undefined || peerPid === 0 || slot.origin !== origin) return false;
    if (frame.nonce !== TERMINAL) return advances(frame, slot) || beginsAnew(slot, frame, "kernel");
    return slot.terminalTimestamp === undefined || frame.timestamp > slot.terminalTimestamp;
  }

  /** The table of spec 05 section 5. */
  #identity(
    frame: DecodedFrame,
    slot: ReferenceSlot | undefined,
    proof: Proof,
    nowNs: number,
  ): Identity {
    const { processes, scenario } = this.#options;
    if (slot !== undefined && !this.#mustLookUp(frame, slot, nowNs)) {
      const pinned = { inode: slot.namespaceInode, generation: slot.generation };
      if (this.proven.has(slot)) return { ...pinned, proven: true, wasRead: false };
      const isFirstOfBatch = this.lookedUpNs.get(slot) !== nowNs;
      if (!isFirstOfBatch || slot.generation === undefined || !proof.mayBe(slot.generation))
        return { ...pinned, proven: false, wasRead: false };
      const startTime = known(processes.startTime(frame.pid));
      if (startTime === undefined) return { ...pinned, proven: false, wasRead: true };
      if (startTime === slot.generation)
        return { ...pinned, proven: proof.is(startTime), wasRead: true };
    }
    this.lookups += 1;
    const before = known(processes.startTime(frame.pid));
    const found = known(processes.namespaceInode(frame.pid, scenario.observerInode));
    const after = known(processes.startTime(frame.pid));
    if (before !== after)
      return { inode: undefined, generation: undefined, proven: false, wasRead: true };
    const proven = before !== undefined && proof.is(before);
    const inode = this.#sameReadability(slot, found, before);
    return { inode, generation: before, proven, wasRead: true };
  }

  #mustLookUp(frame: DecodedFrame, slot: ReferenceSlot, nowNs: number): boolean {
    if (nowNs - slot.lastNs >= slot.lane.thresholdNs) return true;
    const retryIsDue = nowNs - this.lookedUpNs.get(slot)! >= SECOND_NS;
    const isPartUnknown = slot.namespaceInode === undefined || slot.generation === undefined;
    const isOld = frame.nonce !== TERMINAL && !advances(frame, slot);
    if (isOld && beginsAnew(slot, frame, "kernel")) return true;
    return (isPartUnknown || isOld) && retryIsDue;
  }

  /**
   * A foreign namespace whose inode was readable once and is hidden now, or the reverse, is no
   * conflict.
   */
  #sameReadability(
    slot: ReferenceSlot | undefined,
    found: number | undefined,
    generation: number | undefined,
  ): number | undefined {
    const pinned = slot?.namespaceInode;
    const own = known(this.#options.scenario.observerInode);
    if (slot === undefined || pinned === undefined || pinned === own || found === undefined) {
      return found;
    }
    // A reused pid brings its own namespace.
    const isAnother = slot.generation !== undefined && generation !== undefined;
    if (isAnother && slot.generation !== generation) return found;
    if (found === 0) return pinned;
    return pinned === 0 && found !== own ? 0 : found;
  }
}

/** How a regular nonce must follow the last one. */
function advances(frame: DecodedFrame, slot: ReferenceSlot): boolean {
  const last = slot.lastNonce;
  const wraps = last !== undefined && last >= TERMINAL - 2n ** 20n && frame.nonce < 2n ** 20n;
  return last === undefined || frame.nonce > last || wraps;
}

/** What the kernel says about who sent a beat, and when. */
interface Sender {
  readonly peerPid: number;
  readonly uid: number | undefined;
  readonly origin: number;
  readonly proof: Proof;
  /** It may be in a container; it has said so, and which process that is true of. */
  readonly mayBeInner: boolean;
  readonly claim: InnerClaim | undefined;
  /** 1 a hello, 2 a bye; 0 = a beat. */
  readonly control: number;
}

/**
 * Whether the process that started at a time, and has the pid now, may be the sender of a datagram,
 * and whether it is.
 */
interface Proof {
  readonly mayBe: (startTime: number) => boolean;
  readonly is: (startTime: number) => boolean;
}

export interface Identity {
  readonly inode: number | undefined;
  readonly generation: number | undefined;
  /** The process of `generation` sent the frame itself. */
  readonly proven: boolean;
  readonly wasRead: boolean;
}

function originOf(isUnix: boolean, peerPid: number, acceptRecovery: boolean): number {
  if (isUnix) return peerPid === 0 ? SOCKET_MODE : KERNEL;
  return acceptRecovery ? OPERATOR : NETWORK;
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

/** Spec 12 section 9: nobody attests who sent it, and it looks like one. */
function isInherited({ options }: Link, { bytes }: Datagram): boolean {
  if (options.kind === "unix" || bytes.length !== 32) return false;
  if (referenceDecode(bytes).error !== undefined) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getBigUint64(16, true) === 0n && view.getUint16(26, true) === 0x5642;
}
