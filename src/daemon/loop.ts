// The loop (spec 12 section 1): one thread that blocks in poll(2) on the listener sockets, on the
// connections of the servers and on the runtime's own epoll descriptor until the next datagram,
// request, deadline or event. It yields to the runtime only when the runtime has something to do,
// and runs the timers of others only when one is due or a turn did more than take beats, so a
// quiet daemon with steady beats costs one poll and one receive per wake-up.
import { EINTR, POLLIN } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import { Counters } from "../base/counters.ts";
import { WAIT_NS_MAX } from "../base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Listener } from "../listener/listener.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Observer } from "../observer/observer.ts";
import type { Deadlines } from "./deadline.ts";
import type { Tick } from "./tick.ts";
import { TURN } from "./turn_counters.ts";
import {
  datagramsOf,
  TURN_BUSY,
  TURN_EXPORTED,
  TURN_FULL,
  TURN_HAS_WORK_LEFT,
} from "./turn_flags.ts";
import { WaitSet } from "./wait_set.ts";

/** Poll interval when the runtime's epoll descriptor cannot be watched. */
const WAIT_FALLBACK_NS_MAX = 5 * NS_PER_MS;
/** Work of one turn for the clients of one server. */
const SLICE_NS_MAX = 2 * NS_PER_MS;

/** A server as the loop drives it: that of HTTP, and the control socket. */
export interface LoopServer {
  /** True if `fd` can be waited for; else a slice is wanted in every turn. */
  readonly canBeWaitedFor: boolean;
  /**
   * Readable when a client wants something; -1 = it rests until `nextDeadlineNs`. May change in
   * every turn.
   */
  readonly fd: number;
  /** A request waits for a slice. */
  readonly pending: boolean;
  /** When a slice is wanted although no client wants anything; +Infinity = not at all. */
  readonly nextDeadlineNs: number;
  /** Talks to clients, and renders for at most `budgetNs`; true if work is left. */
  serveSlice(budgetNs: number): boolean;
}

export interface LoopOptions {
  readonly observer: Observer;
  readonly tick: Tick;
  readonly metrics: Metrics;
  /** Asked in every turn: another array = others are to be served. */
  readonly servers: () => readonly LoopServer[];
  /** Descriptor of the runtime's event loop; -1 = not found: short waits instead. */
  readonly runtimeFd: number;
  /** Readable when the process of a member has ended; undefined = that is not followed. */
  readonly ends?: { readonly fd: number } | undefined;
  /** Timers besides the tracker's. */
  readonly deadlines: Deadlines;
  readonly monotonicNs: () => number;
  /** Asked in every turn: a reload may change it. */
  readonly iterationBudgetNs: () => number;
  /** Called at the start of every turn: re-arms the watchdog. */
  readonly turnBegins: () => void;
  /** Longest time between two turns that the watchdog bears, in ns; +Infinity without one. */
  readonly quietNsMax: number;
  /** Asked before every wait. */
  readonly shouldStop: (nowNs: number) => boolean;
  /** Called once, when shouldStop() said so. */
  readonly stopped: () => void;
}

/**
 * Longest time without a yield. The runtime says when it has events; its own timers, such as that
 * of the collector, are the only thing that it does not say, and nothing of the daemon waits for
 * them.
 */
const YIELD_NS_MAX = 4 * NS_PER_S;
/**
 * Longest rest between two turns while beats come faster than one per rest: a wake-up costs ten
 * times what a beat costs, so one of them then takes several (measured at 10,000 beats/s: 3 % of a
 * core instead of 9.4 %). poll(2) takes whole milliseconds.
 */
const REST_MS_MAX = 2;
/**
 * Shortest datagram queue with which the loop rests: a short one must be emptied at once, or
 * senders are refused.
 */
const REST_QUEUE_MIN = 128;

export class Loop {
  /** Turns completed. */
  turns = 0;
  readonly #options: LoopOptions;
  readonly #counters = new Counters(TURN, this, () => this.#settle());
  #waits: WaitSet;
  /** The runtime's events alone: what ends a rest. */
  readonly #restPoll = new PollSet(1);
  /**
   * Most beats that may come in during a rest: a quarter of the shortest queue, so that a burst
   * still fits. 0 = no rests.
   */
  #restBeatsMax = 0;
  #turnBeganNs = 0;
  /** The TURN_* bits of the last turn, and how many datagrams it took. */
  #lastTurn = 0;
  /** Beats per millisecond between the last two turns. */
  #beatsPerMs = 0;
  #servers: readonly LoopServer[];
  /** Numbers of the listeners, in the order of the wait set. */
  #listeners: readonly number[];
  #waitMaxNs = 0;
  #yieldedAtNs = 0;
  #serveNs = 0;
  #serversLeft = false;
  /** What a server was asked for may wait for something that the runtime goes on with. */
  #hasServed = false;
  /**
   * Turns without a yield or a page before them, since the last page: each has an observation of 0.
   */
  #turnsWithoutServe = 0;
  /**
   * Earliest deadline of others and of suspended listeners; looked up again after everything that
   * may move it.
   */
  #othersDueNs = 0;
  #othersDueIsKnown = false;
  /** True in the turn after a yield, which may have brought something. */
  #hasYielded = false;

  constructor(options: LoopOptions) {
    this.#options = options;
    options.metrics.show(this.#counters);
    if (options.runtimeFd >= 0) this.#restPoll.add(options.runtimeFd, POLLIN);
    this.#servers = options.servers();
    this.#listeners = options.observer.listenersInForce;
    this.#waits = this.#makeWaits();
  }

  #makeWaits(): WaitSet {
    const { observer, runtimeFd, ends, quietNsMax } = this.#options;
    const servers = this.#servers;
    const listeners = this.#listeners.map((number) => observer.listeners[number]!);
    this.#restBeatsMax = runtimeFd < 0 ? 0 : restBeatsMax(listeners);
    const mustAsk = runtimeFd < 0 || servers.some((one) => !one.canBeWaitedFor);
    const waitMaxNs = mustAsk ? WAIT_FALLBACK_NS_MAX : WAIT_NS_MAX;
    this.#waitMaxNs = Math.min(waitMaxNs, quietNsMax);
    return new WaitSet({ listeners, servers, runtimeFd, endsFd: ends?.fd ?? -1 });
  }

  /** Begins; returns at once. The loop then lives on the runtime's immediates. */
  start(): void {
    this.#yield();
  }

  readonly #afterYield = (): void => {
    const ns = this.#options.monotonicNs() - this.#yieldedAtNs;
    this.#serveNs += ns;
    this.#options.tick.longestStage.took("serve", ns);
    this.#hasYielded = true;
    this.#othersDueIsKnown = false;
    this.#run();
  };

  // Turns until one must yield. The wait stands before the turn, so that whatever the yield brought
  // is seen at once.
  #run(): void {
    const { shouldStop, stopped, observer } = this.#options;
    while (!shouldStop(observer.clock.lastNs)) {
      const runtimeReady = this.#wait();
      this.#turn();
      if (runtimeReady || this.#mustYield()) {
        this.#yield();
        return;
      }
    }
    stopped();
  }

  #yield(): void {
    this.#yieldedAtNs = this.#options.monotonicNs();
    setImmediate(this.#afterYield);
  }

  #mustYield(): boolean {
    return (
      this.#options.runtimeFd < 0 ||
      (this.#lastTurn & TURN_BUSY) !== 0 ||
      this.#hasServed ||
      this.#options.monotonicNs() - this.#yieldedAtNs >= YIELD_NS_MAX
    );
  }

  #turn(): void {
    const { tick, monotonicNs, observer, iterationBudgetNs } = this.#options;
    const startNs = monotonicNs();
    this.#options.turnBegins();
    this.#lastTurn = tick.run(this.#waits.isEndsReady);
    this.#beatsPerMs = (datagramsOf(this.#lastTurn) * NS_PER_MS) / (startNs - this.#turnBeganNs);
    this.#turnBeganNs = startNs;
    this.#maintain(observer.clock.lastNs);
    this.#serve();
    const turnNs = monotonicNs() - startNs;
    this.#counters.observe(TURN.seconds, turnNs / NS_PER_S);
    if (turnNs > iterationBudgetNs()) this.#counters.add(TURN.budgetExceeded);
    this.turns++;
  }

  // Others have something to do when their time has come, and when the runtime or this turn gave
  // them something. Once a second a turn is not plain, so none of them waits for longer.
  #maintain(nowNs: number): void {
    const hasMore = (this.#lastTurn & (TURN_FULL | TURN_EXPORTED)) !== 0;
    if (!hasMore && !this.#hasYielded && nowNs < this.#othersDueNs) return;
    const { deadlines, monotonicNs, tick } = this.#options;
    const beganNs = monotonicNs();
    deadlines.maintain(nowNs);
    tick.longestStage.took("timers", monotonicNs() - beganNs);
    this.#hasYielded = false;
    this.#othersDueIsKnown = false;
  }

  #serve(): void {
    const { monotonicNs } = this.#options;
    const servers = this.#servers;
    this.#serversLeft = false;
    let beganNs = Number.NaN;
    for (let i = 0; i < servers.length; i++) {
      const server = servers[i]!;
      if (!this.#isWanted(server, i)) continue;
      if (Number.isNaN(beganNs)) beganNs = monotonicNs();
      if (server.serveSlice(SLICE_NS_MAX)) this.#serversLeft = true;
    }
    const didServe = !Number.isNaN(beganNs);
    this.#hasServed = didServe;
    if (!didServe && this.#serveNs === 0) {
      this.#turnsWithoutServe++;
      return;
    }
    // A connection that came, or that was served, has another deadline.
    if (didServe) this.#othersDueIsKnown = false;
    const serveNs = this.#serveNs + (didServe ? monotonicNs() - beganNs : 0);
    this.#serveNs = 0;
    this.#options.tick.longestStage.took("serve", serveNs);
    this.#counters.observe(TURN.stage.serve, serveNs / NS_PER_S);
    this.#counters.observe(TURN.servePending, serveNs / NS_PER_S);
  }

  #isWanted(server: LoopServer, index: number): boolean {
    if (server.pending || this.#waits.mayServerBeReady(index)) return true;
    return this.#options.observer.clock.lastNs >= server.nextDeadlineNs;
  }

  #settle(): void {
    this.#counters.observeZeros(TURN.stage.serve, this.#turnsWithoutServe);
    this.#counters.observeZeros(TURN.servePending, this.#turnsWithoutServe);
    this.#turnsWithoutServe = 0;
  }

  /** Blocks until something is due; true if the runtime has events. */
  #wait(): boolean {
    const { observer, servers } = this.#options;
    const hasOthers = servers() !== this.#servers;
    if (hasOthers || observer.listenersInForce !== this.#listeners) this.#takeDoors();
    const timeoutNs = this.#timeoutNs();
    observer.allowIdle(timeoutNs);
    const restMs = this.#restMs();
    if (restMs > 0 && restMs * NS_PER_MS < timeoutNs) this.#restPoll.wait(restMs);
    const ready = this.#waits.wait(Math.ceil(timeoutNs / NS_PER_MS));
    // An interrupted wait is a signal: the runtime's handler has something to report.
    if (ready < 0) return ready === -EINTR;
    return ready > 0 && this.#waits.isRuntimeReady;
  }

  // A reload has opened or closed some.
  #takeDoors(): void {
    this.#servers = this.#options.servers();
    this.#listeners = this.#options.observer.listenersInForce;
    this.#waits = this.#makeWaits();
    this.#othersDueIsKnown = false;
  }

  /** How long beats may gather: 0 if they come slowly, or too fast for their queue. */
  #restMs(): number {
    const beatsPerMs = this.#beatsPerMs;
    if (beatsPerMs * REST_MS_MAX <= 1) return 0;
    return Math.min(REST_MS_MAX, Math.floor(this.#restBeatsMax / beatsPerMs));
  }

  #timeoutNs(): number {
    const { observer } = this.#options;
    const hasWorkLeft = (this.#lastTurn & TURN_HAS_WORK_LEFT) !== 0;
    if (hasWorkLeft || this.#serversLeft || this.#anyServerPends()) return 0;
    if (!this.#othersDueIsKnown) this.#lookUpOthersDue();
    const waitMaxNs = Math.min(this.#waitMaxNs, observer.waitNsMax);
    const due = Math.min(observer.nextDeadline(), this.#othersDueNs);
    if (due === Number.POSITIVE_INFINITY) return waitMaxNs;
    return Math.min(Math.max(0, due - observer.nowNs()), waitMaxNs);
  }

  #anyServerPends(): boolean {
    const servers = this.#servers;
    for (let i = 0; i < servers.length; i++) if (servers[i]!.pending) return true;
    return false;
  }

  #lookUpOthersDue(): void {
    const { deadlines } = this.#options;
    const servers = this.#servers;
    let dueNs = Math.min(this.#suspensions(), deadlines.earliestNs());
    for (let i = 0; i < servers.length; i++) dueNs = Math.min(dueNs, servers[i]!.nextDeadlineNs);
    this.#othersDueNs = dueNs;
    this.#othersDueIsKnown = true;
  }

  // A listener that keeps failing leaves the wait set until it is tried again, and one that was
  // bound again has other descriptors in it.
  #suspensions(): number {
    const { observer } = this.#options;
    const listeners = this.#listeners;
    let earliest = Number.POSITIVE_INFINITY;
    for (let place = 0; place < listeners.length; place++) {
      const untilNs = observer.suspendedUntilNs(listeners[place]!);
      const suspended = untilNs > 0;
      this.#waits.refresh(place, suspended);
      if (suspended && untilNs < earliest) earliest = untilNs;
    }
    return earliest;
  }
}

function restBeatsMax(listeners: readonly Listener[]): number {
  const shortest = Math.min(...listeners.map(({ queueLength }) => queueLength ?? 0));
  return shortest < REST_QUEUE_MIN ? 0 : Math.floor(shortest / 4);
}
