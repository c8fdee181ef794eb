// The tracker as spec 03 describes it, slow and literal: objects in a list, a Map from pid to
// object, bigint nonces, and a walk over every slot wherever the fast tracker keeps a lane. It
// knows nothing of the fast code.

export type Outcome =
  | "Inserted"
  | "Refreshed"
  | "OutOfOrder"
  | "CapacityExceeded"
  | "OriginConflict"
  | "NamespaceConflict";

export const OUTCOMES: readonly Outcome[] = [
  "Inserted",
  "Refreshed",
  "OutOfOrder",
  "CapacityExceeded",
  "OriginConflict",
  "NamespaceConflict",
];

export interface ReferenceFrame {
  readonly pid: number;
  readonly status: number;
  readonly timestamp: bigint;
  readonly nonce: bigint;
  readonly payload: number;
}

export interface ReferenceBeat {
  readonly frame: ReferenceFrame;
  readonly nowNs: number;
  readonly thresholdNs: number;
  readonly origin: number;
  readonly namespaceInode: number | undefined;
  readonly generation: number | undefined;
  /** Attested by the kernel. */
  readonly uid: number | undefined;
  /** Who vouches for the sender; by default the kernel for kernel-attested ones. */
  readonly vouched?: "kernel" | "key" | "nobody";
}

export interface ReferenceSlot {
  pid: number;
  lastNonce: bigint | undefined;
  /** Of the last accepted regular frame. */
  lastTimestamp: bigint;
  /** Nonces refused one after the other that rise from 1. */
  run: bigint[];
  /**
   * When a beat was refused last that showed the agent alive; undefined = not since the last
   * accepted one.
   */
  aliveNs: number | undefined;
  observedNonce: bigint;
  terminalTimestamp: bigint | undefined;
  lastNs: number;
  status: number;
  payload: number;
  origin: number;
  namespaceInode: number | undefined;
  generation: number | undefined;
  uid: number | undefined;
  /** No second beat has come. */
  beatOnce: boolean;
  /** Order in which slots were given away. */
  enteredAt: number;
  latched: boolean;
  /** It is late, and has not beaten since. */
  late: boolean;
  /** It would be judged, and the guard holds it. */
  held: boolean;
  /** Of its first beat, and when it may be judged, both without pauses. */
  firstNs: number;
  graceEndNs: number;
  /** It has said hello, and has not beaten yet. */
  unbeaten: boolean;
  saidGoodbye: boolean;
  /** Of its rule. */
  graceNs: number;
  /** It has moved its judgement since its last beat. */
  moved: boolean;
  /** It has asked to be judged at once since then. */
  triggered: boolean;
  /** While its grace is another one than its rule gives it: that of its rule. */
  ownGraceEndNs: number | undefined;
  /** It would be judged, and waits for the end of its grace. */
  parked: boolean;
  lane: ReferenceLane;
  /** Order of acceptance: breaks ties of `lastNs` inside a lane. */
  acceptedAt: number;
}

export interface ReferenceLane {
  thresholdNs: number;
  lateNs: number;
}

export interface ReferenceTerms extends ReferenceLane {
  graceNs: number;
}

interface SlowGuard {
  /** The guard is active: whom it holds is not due. */
  readonly isHolding: boolean;
  holds(slot: ReferenceSlot): boolean;
  /** It is silent no more. */
  returned(pid: number): void;
}

export type Taken = { readonly kind: "stall" | "retired"; readonly pid: number };

/** Of a slot that is just being taken. */
const NO_LANE: ReferenceLane = { thresholdNs: Number.NaN, lateNs: Number.NaN };

const TERMINAL = 2n ** 64n - 1n;
const WRAP = 2n ** 20n;
const NO_UID = 2 ** 32 - 1;
const KERNEL = 0;
const OPERATOR = 1;
const NETWORK = 3;

export class ReferenceTracker {
  /** Times in which no agent could be heard, in their order. */
  readonly pauses: { readonly endNs: number; readonly ns: number; readonly anew?: boolean }[] = [];
  /** When a queue was last found full, from which on silence began anew. */
  fullNs = Number.NEGATIVE_INFINITY;
  capacity: number;
  /** Removed members that are remembered. */
  readonly room: number;
  policy: "strict" | "balanced";
  window: number;
  slots: ReferenceSlot[] = [];
  lanes: ReferenceLane[] = [];
  cursor = 0;
  removed: number[] = [];
  /** Whether silent members are held; undefined = there is no guard. */
  guard: SlowGuard | undefined = undefined;
  /** Pids that the last drain found late, in that order. */
  lates: number[] = [];
  counters: ReferenceCounters = freshCounters();
  readonly #startTime: (pid: number) => number | undefined;
  readonly #hasEnded: (pid: number, startTime: number) => boolean;
  #acceptances = 0;
  /**
   * Of whose slots the newest were found alive at the last search for ended processes, and how
   * many.
   */
  #searched = { uid: NO_UID, count: 0 };

  constructor(options: {
    capacity: number;
    room?: number;
    policy: "strict" | "balanced";
    window: number;
    startTime: (pid: number) => number | undefined;
    hasEnded: (pid: number, startTime: number) => boolean;
  }) {
    this.capacity = options.capacity;
    this.room = options.room ?? options.capacity;
    this.policy = options.policy;
    this.window = options.window;
    this.#startTime = options.startTime;
    this.#hasEnded = options.hasEnded;
  }

  find(pid: number): ReferenceSlot | undefined {
    return this.slots.find((slot) => slot.pid === pid);
  }

  record(beat: ReferenceBeat): Outcome {
    const slot = this.find(beat.frame.pid);
    return slot === undefined ? this.#newcomer(beat) : this.#known(slot, beat);
  }

  /** A hello or a bye: of `beat` only whose it is, its number and its time count. */
  greet(kind: "hello" | "bye", beat: ReferenceBeat): Outcome {
    const slot = this.find(beat.frame.pid);
    const isHello = kind === "hello";
    if (slot === undefined) return isHello ? this.#newcomer(beat, true) : "Refreshed";
    if (isAnother(slot, beat)) return isHello ? this.#recycle(slot, beat, true) : "Refreshed";
    const conflict = this.#conflict(slot, beat);
    if (conflict !== undefined) return conflict;
    const { frame, vouched, origin } = beat;
    const isNewer = slot.lastNonce === undefined || frame.nonce > slot.lastNonce;
    const isFirst =
      isHello &&
      frame.nonce === 1n &&
      (vouched ?? (origin === KERNEL ? "kernel" : "")) === "kernel";
    if (!isNewer && !wraps(slot, frame) && !isFirst) {
      this.counters.outOfOrder += 1;
      return "OutOfOrder";
    }
    slot.namespaceInode ??= beat.namespaceInode;
    slot.generation ??= beat.generation;
    if (!isHello) this.sayGoodbye(slot.pid, beat.nowNs, Math.max(90e9, slot.graceNs));
    return "Refreshed";
  }

  #conflict(slot: ReferenceSlot, beat: ReferenceBeat, terminal = false): Outcome | undefined {
    if (slot.origin !== beat.origin) {
      this.counters.originConflicts += 1;
      return "OriginConflict";
    }
    if (slot.namespaceInode === undefined || slot.namespaceInode === beat.namespaceInode)
      return undefined;
    if (beat.namespaceInode === undefined && terminal) return undefined;
    this.counters.namespaceConflicts += 1;
    return "NamespaceConflict";
  }

  #known(slot: ReferenceSlot, beat: ReferenceBeat): Outcome {
    const { frame, origin, namespaceInode, generation } = beat;
    const terminal = frame.nonce === TERMINAL;
    if (isAnother(slot, beat)) return this.#recycle(slot, beat);
    const conflict = this.#conflict(slot, beat, terminal);
    if (conflict !== undefined) return conflict;
    if (!this.#nonceAccepted(slot, frame)) {
      const vouched = beat.vouched ?? (origin === KERNEL ? "kernel" : "nobody");
      const isSame = slot.generation === generation;
      if (!isSame || !beginsAnew(slot, frame, vouched)) {
        this.counters.outOfOrder += 1;
        if (isSame && vouched !== "nobody") slot.aliveNs = beat.nowNs;
        slot.run = runWith(slot, frame);
        return "OutOfOrder";
      }
      this.counters.nonceRestarts += 1;
    }
    slot.namespaceInode ??= namespaceInode;
    slot.generation ??= generation;
    slot.observedNonce = frame.nonce;
    if (terminal) slot.terminalTimestamp = frame.timestamp;
    else {
      slot.lastNonce = frame.nonce;
      slot.lastTimestamp = frame.timestamp;
    }
    slot.run = [];
    slot.aliveNs = undefined;
    slot.status = frame.status;
    slot.payload = frame.payload;
    slot.latched = false;
    this.guard?.returned(slot.pid);
    if (!slot.unbeaten) slot.beatOnce = false;
    this.#enterLane(slot, beat);
    return "Refreshed";
  }

  #nonceAccepted(slot: ReferenceSlot, frame: ReferenceFrame): boolean {
    if (frame.nonce === TERMINAL)
      return slot.terminalTimestamp === undefined || frame.timestamp > slot.terminalTimestamp;
    if (slot.lastNonce === undefined || frame.nonce > slot.lastNonce) return true;
    if (!wraps(slot, frame)) return false;
    this.counters.nonceWraps += 1;
    return true;
  }

  #recycle(slot: ReferenceSlot, beat: ReferenceBeat, unbeaten = false): Outcome {
    this.guard?.returned(slot.pid);
    Object.assign(slot, this.#fresh(beat, unbeaten));
    this.#enter(slot, beat);
    this.counters.pidRecycles += 1;
    return "Inserted";
  }

  #newcomer(beat: ReferenceBeat, unbeaten = false): Outcome {
    if (this.slots.length < this.capacity) {
      const slot = this.#fresh(beat, unbeaten);
      this.slots.push(slot);
      this.#enter(slot, beat);
      return "Inserted";
    }
    let victim = this.#victim(beat.nowNs);
    if (victim === undefined) {
      this.counters.evictionScanTruncated += 1;
      victim = this.#unfairShare(beat.uid);
      if (victim === undefined) {
        this.counters.capacityExceeded += 1;
        return "CapacityExceeded";
      }
      this.counters.uidShares += 1;
    }
    this.#remember(victim.pid);
    this.guard?.returned(victim.pid);
    this.counters.evictions += 1;
    const position = this.slots.indexOf(victim);
    const slot = this.#fresh(beat, unbeaten);
    this.slots[position] = slot;
    this.#enter(slot, beat);
    return "Inserted";
  }

  #victim(nowNs: number): ReferenceSlot | undefined {
    let victim: ReferenceSlot | undefined;
    if (this.slots.some((slot) => slot.latched)) victim = this.#scan(nowNs, true);
    if (victim === undefined && this.policy === "balanced") victim = this.#scan(nowNs, false);
    return victim;
  }

  /** What the uid with most slots gives up for a newcomer of another uid that holds fewer. */
  #unfairShare(uid: number | undefined): ReferenceSlot | undefined {
    if (uid === undefined) return undefined;
    const holders = [...new Set(this.slots.map((slot) => slot.uid ?? NO_UID))];
    const held = (holder: number) => this.slots.filter((slot) => (slot.uid ?? NO_UID) === holder);
    holders.sort((a, b) => held(b).length - held(a).length || a - b);
    const holder = holders[0];
    if (holder === undefined || held(holder).length <= held(uid).length) return undefined;

    const newestFirst = held(holder).sort((a, b) => b.enteredAt - a.enteredAt);
    const searched = this.#searched.uid === holder ? this.#searched.count : 0;
    const askedAbout = newestFirst.slice(searched, searched + 8);
    const asked: ReferenceSlot[] = [];
    for (const [position, slot] of newestFirst.slice(0, 1_024).entries()) {
      if (slot.beatOnce) return slot;
      if (!askedAbout.includes(slot)) continue;
      asked.push(slot);
      if (slot.origin !== KERNEL || slot.generation === undefined) continue;
      if (!this.#hasEnded(slot.pid, slot.generation)) continue;
      this.#searched = { uid: holder, count: position };
      return slot;
    }
    this.#searched = { uid: holder, count: asked.length === 8 ? searched + 8 : 0 };
    return undefined;
  }

  #scan(nowNs: number, latchedOnly: boolean): ReferenceSlot | undefined {
    const n = this.slots.length;
    if (n === 0) return undefined;
    const start = this.cursor % n;
    const seen = Math.min(this.window, n);
    const positions = Array.from({ length: seen }, (_, i) => (start + i) % n);
    const hit = positions.find((position) => {
      const slot = this.slots[position]!;
      const isSilent = age(slot, nowNs) - this.pausedNs(slot.lastNs) > 10 * slot.lane.thresholdNs;
      return isSilent && (slot.latched || !latchedOnly);
    });
    this.cursor = hit === undefined ? (start + seen) % n : (hit + 1) % n;
    return hit === undefined ? undefined : this.slots[hit];
  }

  /** Time since the last beat of `slot` that is no silence, by its threshold. */
  excusedNs({ lastNs, lane }: Pick<ReferenceSlot, "lastNs" | "lane">): number {
    const pausedNs = this.pausedNs(lastNs);
    const aloneNs = this.pauses.findLast(({ anew }) => anew)?.endNs;
    const anewNs = Math.max(aloneNs ?? Number.NEGATIVE_INFINITY, this.fullNs);
    if (lastNs >= anewNs) return pausedNs;
    const silentBeforeNs = anewNs - lastNs - (pausedNs - this.pausedNs(anewNs));
    return pausedNs + Math.min(silentBeforeNs, lane.thresholdNs);
  }

  /** Time since `lastNs` in which no agent could be heard, of the last 64 such times. */
  pausedNs(lastNs: number): number {
    return this.pauses
      .slice(-64)
      .filter(({ endNs }) => endNs > lastNs)
      .reduce((sum, { ns }) => sum + ns, 0);
  }

  /** Observer time without the pauses. */
  awakeNs(nowNs: number): number {
    return nowNs - this.pauses.reduce((sum, { ns }) => sum + ns, 0);
  }

  /** The member of `pid` owes no beats from now on, and is judged after `lastsNs`. */
  sayGoodbye(pid: number, nowNs: number, lastsNs: number): void {
    const slot = this.find(pid);
    if (slot === undefined || slot.latched || slot.saidGoodbye) return;
    this.#holdNoMore(slot);
    slot.saidGoodbye = true;
    slot.late = false;
    slot.parked = true;
    slot.moved = false;
    slot.triggered = false;
    slot.ownGraceEndNs ??= slot.graceEndNs;
    slot.graceEndNs = this.awakeNs(nowNs) + lastsNs;
  }

  /** The member of `pid` takes its goodbye back, and its silence begins. */
  takeGoodbyeBack(pid: number, nowNs: number): void {
    const slot = this.find(pid);
    if (slot === undefined || slot.latched || !slot.saidGoodbye) return;
    if (slot.unbeaten) {
      slot.saidGoodbye = false;
      slot.moved = false;
      slot.triggered = false;
      this.#awaitBeat(slot);
    } else this.#hear(slot, nowNs);
  }

  /** The member of `pid` is not judged for `moreNs`, if it has not moved its judgement before. */
  extend(pid: number, nowNs: number, moreNs: number): void {
    const slot = this.find(pid);
    if (slot === undefined || slot.latched || slot.moved) return;
    const graceNs = slot.graceEndNs + (nowNs - this.awakeNs(nowNs));
    const silentNs = slot.lastNs + slot.lane.thresholdNs + this.excusedNs(slot);
    const judgedNs = slot.saidGoodbye ? graceNs : Math.max(graceNs, silentNs);
    slot.moved = true;
    slot.ownGraceEndNs ??= slot.graceEndNs;
    slot.graceEndNs = this.awakeNs(Math.max(judgedNs, nowNs + moreNs));
  }

  /** The member of `pid` is judged as if it had been silent for its threshold. */
  judgeNow(pid: number, nowNs: number): void {
    const slot = this.find(pid);
    if (slot === undefined || slot.latched) return;
    const isInGrace = slot.graceEndNs > this.awakeNs(nowNs);
    this.#holdNoMore(slot);
    slot.late = false;
    slot.parked = true;
    slot.moved = true;
    slot.triggered = true;
    slot.ownGraceEndNs ??= slot.graceEndNs;
    const { lane } = slot;
    let lastNs = nowNs - lane.thresholdNs;
    while (lastNs + lane.thresholdNs + this.excusedNs({ lastNs, lane }) > nowNs) lastNs -= 1;
    slot.lastNs = lastNs;
    if (!isInGrace) slot.graceEndNs = this.awakeNs(nowNs);
  }

  /** The member of `pid` has these terms from now on, if it is tracked. */
  change(pid: number, { thresholdNs, lateNs, graceNs }: ReferenceTerms): void {
    const slot = this.find(pid);
    if (slot === undefined) return;
    const graceEndNs = graceEndBy(slot, graceNs);
    const isSame = slot.lane.thresholdNs === thresholdNs && slot.lane.lateNs === lateNs;
    const keepsItsPlace = isSame && (!slot.parked || slot.graceEndNs === graceEndNs);
    slot.graceEndNs = graceEndNs;
    if (keepsItsPlace) return;
    slot.lane = NO_LANE;
    slot.lane = this.#laneFor(thresholdNs, lateNs);
    slot.late &&= slot.lane.lateNs < Infinity;
    slot.parked &&= slot.triggered;
    this.#holdNoMore(slot);
    if (!slot.latched) slot.acceptedAt = ++this.#acceptances;
  }

  /**
   * All members have other terms from `nowNs` on, and none is judged by silence of before: the
   * rules of spec 17 section 4 one after the other, in the order of the last beats.
   */
  changeAll(nowNs: number, termsOf: (pid: number) => ReferenceTerms): void {
    const moved: { slot: ReferenceSlot; terms: ReferenceTerms }[] = [];
    for (const slot of this.slots.toSorted((a, b) => a.lastNs - b.lastNs)) {
      const terms = termsOf(slot.pid);
      const graceEndNs = graceEndBy(slot, terms.graceNs);
      const { lane } = slot;
      const isSame = lane.thresholdNs === terms.thresholdNs && lane.lateNs === terms.lateNs;
      if (isSame && slot.graceEndNs === graceEndNs) continue;
      const judgedNs = this.#judgedNs(slot, nowNs, terms, graceEndNs);
      slot.graceEndNs = graceEndNs;
      // Until its next beat: that of its rule is kept beside it.
      if (this.awakeNs(judgedNs) > graceEndNs) {
        slot.ownGraceEndNs ??= graceEndNs;
        slot.graceEndNs = this.awakeNs(judgedNs);
      }
      moved.push({ slot, terms });
    }
    for (const { slot } of moved) slot.lane = NO_LANE;
    for (const { slot, terms } of moved) {
      slot.lane = this.#laneFor(terms.thresholdNs, terms.lateNs);
      slot.late &&= slot.lane.lateNs < Infinity;
      slot.parked &&= slot.triggered;
      this.#holdNoMore(slot);
      if (!slot.latched) slot.acceptedAt = ++this.#acceptances;
    }
  }

  /** When a member is late or stalled by `terms` at the earliest, if they are the stricter ones. */
  #judgedNs(slot: ReferenceSlot, nowNs: number, terms: ReferenceTerms, graceEndNs: number): number {
    const after = (silenceNs: number, { thresholdNs } = slot.lane) =>
      slot.lastNs + silenceNs + this.excusedNs({ ...slot, lane: { ...slot.lane, thresholdNs } });
    const pausedNs = nowNs - this.awakeNs(nowNs);
    const before = Math.max(after(slot.lane.thresholdNs), slot.graceEndNs + pausedNs);
    const plain = Math.max(
      after(terms.thresholdNs, { ...slot.lane, ...terms }),
      graceEndNs + pausedNs,
    );
    const stallNs = plain < before ? Math.min(before, nowNs + terms.thresholdNs) : -Infinity;
    if (slot.late || terms.lateNs >= slot.lane.lateNs) return stallNs;
    const lateNs = Math.min(after(slot.lane.lateNs), nowNs + terms.lateNs);
    return Math.max(stallNs, Math.min(lateNs, Math.max(plain, stallNs)));
  }

  /**
   * A linear scan for each slot that is due, in the order that the specification gives. `look` may
   * change the terms of a slot before that is judged.
   */
  drain(
    nowNs: number,
    thresholdNs: number | undefined,
    slotsMax: number,
    look: (slot: ReferenceSlot) => void = () => {},
  ): Taken[] {
    const taken: Taken[] = [];
    this.lates = [];
    const isSilentFor = (slot: ReferenceSlot | undefined, ns: number) =>
      slot !== undefined && age(slot, nowNs) >= ns + this.excusedNs(slot);
    const isInGrace = (slot: ReferenceSlot) => slot.graceEndNs > this.awakeNs(nowNs);
    const over = this.#inHeapOrder().filter((slot) => !isInGrace(slot));
    let left = slotsMax;
    for (const slot of over.slice(0, slotsMax)) {
      if (slot.triggered && thresholdNs === undefined) {
        look(slot);
        if (!slot.parked || isInGrace(slot)) continue;
        slot.parked = false;
        const took = this.#take(slot);
        if (took !== undefined) taken.push(took);
        left -= 1;
        continue;
      }
      slot.parked = false;
      slot.acceptedAt = ++this.#acceptances;
      left -= 1;
    }
    for (let i = 0; i < this.lanes.length; i++) {
      for (const row of ["held", "late", "other"] as const) {
        const late = row !== "other";
        while (left > 0 && !(row === "held" && this.guard?.isHolding === true)) {
          const lane = this.lanes[i]!;
          const first = this.rowSlots(lane, row)[0];
          const stallNs = thresholdNs ?? lane.thresholdNs;
          const dueNs = late ? stallNs : (thresholdNs ?? Math.min(lane.lateNs, stallNs));
          if (first === undefined || !isSilentFor(first, dueNs)) break;
          if (isInGrace(first)) {
            first.parked = true;
            if (first.held) first.late &&= first.lane.lateNs < Infinity;
            this.#holdNoMore(first);
            left -= 1;
          } else if (!isSilentFor(first, stallNs)) {
            first.late = true;
            first.acceptedAt = ++this.#acceptances;
            this.lates.push(first.pid);
            left -= 1;
          } else {
            look(first);
            const isHead = this.rowSlots(lane, row)[0] === first;
            const isStillDue = isHead && isSilentFor(first, thresholdNs ?? lane.thresholdNs);
            if (!isStillDue || isInGrace(first)) continue;
            const took = this.#take(first);
            if (took !== undefined) taken.push(took);
            left -= 1;
          }
        }
      }
    }
    return taken;
  }

  /** True if the pid of `slot` is that of another process by now. */
  #isAnother(slot: ReferenceSlot): boolean {
    const live = this.#startTime(slot.pid);
    const pinned = slot.origin === KERNEL ? slot.generation : undefined;
    return pinned !== undefined && live !== undefined && live !== pinned;
  }

  #holdNoMore(slot: ReferenceSlot): void {
    if (!slot.held) return;
    slot.held = false;
    this.guard?.returned(slot.pid);
  }

  /** Undefined = the guard holds it. */
  #take(slot: ReferenceSlot): Taken | undefined {
    if (!this.#isAnother(slot)) {
      if (this.guard?.holds(slot) === true) {
        slot.held = true;
        slot.late = true;
        slot.acceptedAt = ++this.#acceptances;
        return undefined;
      }
      this.#holdNoMore(slot);
      slot.latched = true;
      return { kind: "stall", pid: slot.pid };
    }
    const last = this.slots.pop()!;
    if (last !== slot) this.slots[this.slots.indexOf(slot)] = last;
    this.cursor = this.slots.length === 0 ? 0 : this.cursor % this.slots.length;
    this.counters.pidRecycles += 1;
    this.guard?.returned(slot.pid);
    this.#remember(slot.pid);
    return { kind: "retired", pid: slot.pid };
  }

  takeCounters(): ReferenceCounters {
    const counters = this.counters;
    this.counters = freshCounters();
    return counters;
  }

  freshness(pid: number, generation: number | undefined, nowNs = Infinity): string {
    const slot = this.find(pid);
    if (slot === undefined || !slot.latched) return "AgentResumed";
    const live = generation === undefined ? undefined : this.#startTime(pid);
    if (live !== undefined && live !== generation) return "PidRecycled";
    const isOfLater = generation !== undefined && slot.generation !== undefined;
    if (isOfLater && slot.generation !== generation) return "PidRecycled";
    const isAlive = slot.aliveNs !== undefined && slot.aliveNs > nowNs - slot.lane.thresholdNs;
    if (isAlive) return "BeatsRefused";
    const isVerifiable = generation !== undefined || slot.origin !== KERNEL;
    return isVerifiable ? "Warranted" : "UnverifiableGeneration";
  }

  terminalTimestampWouldAdvance(pid: number, timestamp: bigint): boolean {
    const held = this.find(pid)?.terminalTimestamp;
    return held === undefined || held < timestamp;
  }

  nextDeadline(): number {
    const isHolding = this.guard?.isHolding === true;
    const waiting = this.slots.filter((slot) => !slot.latched && !(slot.held && isHolding));
    return Math.min(
      ...waiting.map((slot) => {
        if (slot.parked) return slot.graceEndNs + slot.lastNs - this.awakeNs(slot.lastNs);
        const { thresholdNs, lateNs } = slot.lane;
        const dueNs = slot.late ? thresholdNs : Math.min(lateNs, thresholdNs);
        return slot.lastNs + dueNs + this.excusedNs(slot);
      }),
    );
  }

  /** Those that wait in a lane: the ones that are held, the late ones, or the others. */
  rowSlots(lane: ReferenceLane, row: "held" | "late" | "other"): ReferenceSlot[] {
    const waiting = this.slots.filter(({ latched, parked }) => !latched && !parked);
    const rowOf = ({ held, late }: ReferenceSlot) => (held ? "held" : late ? "late" : "other");
    return inLaneOrder(waiting.filter((slot) => slot.lane === lane && rowOf(slot) === row));
  }

  #inHeapOrder(): ReferenceSlot[] {
    const parked = this.slots.filter((slot) => slot.parked);
    return parked.sort(
      (a, b) => a.graceEndNs - b.graceEndNs || a.lastNs - b.lastNs || a.pid - b.pid,
    );
  }

  #enter(slot: ReferenceSlot, beat: ReferenceBeat): void {
    const { unbeaten } = slot;
    this.#enterLane(slot, beat);
    slot.unbeaten = unbeaten;
    if (unbeaten) this.#awaitBeat(slot);
  }

  /** It owes no beats before its first one. */
  #awaitBeat(slot: ReferenceSlot): void {
    this.#holdNoMore(slot);
    slot.ownGraceEndNs ??= slot.graceEndNs;
    slot.graceEndNs = Infinity;
    slot.parked = true;
  }

  #enterLane(slot: ReferenceSlot, beat: ReferenceBeat): void {
    this.#hear(slot, beat.nowNs);
    if (slot.lane === NO_LANE) slot.lane = this.#laneFor(beat.thresholdNs, Infinity);
  }

  #hear(slot: ReferenceSlot, nowNs: number): void {
    slot.lastNs = nowNs;
    slot.acceptedAt = ++this.#acceptances;
    slot.late = false;
    slot.held = false;
    slot.parked = false;
    slot.graceEndNs = slot.ownGraceEndNs ?? slot.graceEndNs;
    slot.ownGraceEndNs = undefined;
    slot.saidGoodbye = false;
    slot.moved = false;
    slot.triggered = false;
    if (!slot.unbeaten) return;
    // Its grace begins with its first beat.
    slot.graceEndNs += this.awakeNs(nowNs) - slot.firstNs;
    slot.firstNs = this.awakeNs(nowNs);
    slot.unbeaten = false;
  }

  #laneFor(thresholdNs: number, lateNs: number): ReferenceLane {
    const same = this.lanes.find(
      (lane) => lane.thresholdNs === thresholdNs && lane.lateNs === lateNs,
    );
    if (same !== undefined) return same;
    if (this.lanes.length < 256) {
      const lane = { thresholdNs, lateNs };
      this.lanes.push(lane);
      return lane;
    }
    const empty = this.lanes.find((lane) => this.slots.every((slot) => slot.lane !== lane));
    if (empty !== undefined) {
      empty.thresholdNs = thresholdNs;
      empty.lateNs = lateNs;
      return empty;
    }
    this.counters.invariantViolations += 1;
    const ascending = [...this.lanes].sort((a, b) => a.thresholdNs - b.thresholdNs);
    const below = ascending.filter((lane) => lane.thresholdNs <= thresholdNs);
    const nearestNs = below.at(-1)?.thresholdNs;
    return below.find((lane) => lane.thresholdNs === nearestNs) ?? ascending[0]!;
  }

  #remember(pid: number): void {
    if (this.removed.length < this.room) this.removed.push(pid);
    else this.counters.removedPidDrops += 1;
  }

  #fresh(beat: ReferenceBeat, unbeaten: boolean): ReferenceSlot {
    const ofHello = { nonce: undefined, timestamp: 0n, status: 0, payload: 0 };
    const frame = unbeaten ? { ...ofHello, pid: beat.frame.pid } : beat.frame;
    const terminal = frame.nonce === TERMINAL;
    return {
      pid: frame.pid,
      lastNonce: terminal ? undefined : frame.nonce,
      lastTimestamp: terminal ? 0n : frame.timestamp,
      run: [],
      aliveNs: undefined,
      observedNonce: frame.nonce ?? 0n,
      terminalTimestamp: terminal ? frame.timestamp : undefined,
      lastNs: beat.nowNs,
      status: frame.status,
      payload: frame.payload,
      origin: beat.origin,
      namespaceInode: beat.namespaceInode,
      generation: beat.generation,
      uid: beat.uid,
      beatOnce: true,
      enteredAt: ++this.#acceptances,
      latched: false,
      late: false,
      held: false,
      firstNs: this.awakeNs(beat.nowNs),
      graceEndNs: -Infinity,
      unbeaten,
      saidGoodbye: false,
      graceNs: 0,
      ownGraceEndNs: undefined,
      moved: false,
      triggered: false,
      parked: false,
      lane: NO_LANE,
      acceptedAt: 0,
    };
  }
}

/** Another process answers under the pid of the slot. */
export function isAnother(
  slot: ReferenceSlot,
  { frame, origin, generation, nowNs }: ReferenceBeat,
) {
  if (slot.generation !== undefined || generation !== undefined)
    return (
      slot.generation !== undefined && generation !== undefined && slot.generation !== generation
    );
  return (
    slot.origin === origin &&
    (origin === OPERATOR || origin === NETWORK) &&
    frame.nonce !== TERMINAL &&
    slot.lastNonce !== undefined &&
    frame.nonce <= slot.lastNonce &&
    age(slot, nowNs) >= slot.lane.thresholdNs
  );
}

function wraps({ lastNonce }: ReferenceSlot, { nonce }: ReferenceFrame): boolean {
  return lastNonce !== undefined && lastNonce >= TERMINAL - WRAP && nonce < WRAP;
}

/** When the grace of a rule is over; while it has another one that is kept for later. */
function graceEndBy(slot: ReferenceSlot, graceNs: number): number {
  slot.graceNs = graceNs;
  const graceEndNs = graceNs > 0 ? slot.firstNs + graceNs : -Infinity;
  if (slot.ownGraceEndNs === undefined) return graceEndNs;
  slot.ownGraceEndNs = graceEndNs;
  return slot.graceEndNs;
}

export type ReferenceCounters = ReturnType<typeof freshCounters>;

function freshCounters() {
  return {
    evictions: 0,
    uidShares: 0,
    capacityExceeded: 0,
    nonceWraps: 0,
    nonceRestarts: 0,
    outOfOrder: 0,
    evictionScanTruncated: 0,
    originConflicts: 0,
    namespaceConflicts: 0,
    pidRecycles: 0,
    invariantViolations: 0,
    probeExhausted: 0,
    removedPidDrops: 0,
  };
}

function age(slot: ReferenceSlot, nowNs: number): number {
  return Math.max(0, nowNs - slot.lastNs);
}

/** Whether a frame whose nonce is too low begins a numbering again. */
export function beginsAnew(
  slot: ReferenceSlot,
  frame: ReferenceFrame,
  vouched: "kernel" | "key" | "nobody",
): boolean {
  if (frame.nonce === TERMINAL) return false;
  if (vouched !== "nobody" && frame.timestamp > slot.lastTimestamp) return true;
  return vouched !== "key" && runWith(slot, frame).length >= 3;
}

function runWith(slot: ReferenceSlot, { nonce }: ReferenceFrame): bigint[] {
  if (nonce === 1n) return [1n];
  const last = slot.run.at(-1);
  const goesOn = last !== undefined && nonce > last && nonce < 2n ** 32n;
  return goesOn ? [...slot.run, nonce] : [];
}

function inLaneOrder(slots: ReferenceSlot[]): ReferenceSlot[] {
  return slots.toSorted((a, b) => a.lastNs - b.lastNs || a.acceptedAt - b.acceptedAt);
}
