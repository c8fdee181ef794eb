// The server of the control socket (spec 16): accepts, reads lines, checks who asks, and has the
// answers made in pieces while beats come in between. All of it runs in `serveSlice`, which the
// daemon's turn drives, within a budget; it then rests, so that askers have a quarter of a core at
// most. Nothing here logs, and what a client sends never throws.
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../ffi/constants.ts";
import { SystemError } from "../../ffi/errno.ts";
import { type PeerCredentials, peerCredentials } from "../../ffi/peer.ts";
import { openReadiness, type Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import { Counters } from "../base/counters.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import { ControlConnection, SEND_FAILED, SENT_ALL } from "./connection.ts";
import { type BoundControl, type ControlPath, ControlListener } from "./control_listener.ts";
import { CONTROL, type ControlCounters, type RefusedReason } from "./counters.ts";
import { CLOSING, mayNotAct, TOO_LONG, TOO_MANY, TOO_SLOW } from "./last_words.ts";
import { PATIENCE_NS, patienceNs, quietNs } from "./patience.ts";
import { CONNECTIONS_MAX, hasPlace } from "./places.ts";
import {
  type Arguments,
  type ControlSources,
  type Refusal,
  refusalIn,
  refusalPieces,
  refusalText,
  type Request,
} from "./request.ts";
import { isBlank, parseRequestLine } from "./request_line.ts";
import { groupsAt, mayAct, type Operators } from "./rights.ts";

const EVENTS_PER_TURN_MAX = 64;
const IDLE_NS_MAX = 60 * NS_PER_S;
const DRAIN_NS_MAX = NS_PER_S;
/** The work of one turn, and the rest after it in parts of what it took. */
const SLICE_NS_MAX = NS_PER_MS;
const REST_PARTS = 3;

/** What another configuration changes of a server that goes on. */
export interface ControlSettings extends Omit<ControlPath, "kept"> {
  readonly operators: Operators;
}

export interface ControlServerOptions extends ControlSettings, Pick<ControlPath, "kept"> {
  readonly daemonUid: number;
  readonly requests: readonly Request[];
  readonly sources: ControlSources;
  readonly nowNs: () => number;
  /** An act is about to be done; or it was refused to the one who asked. Must not throw. */
  readonly acted: (request: Request, args: Arguments, peer: PeerCredentials) => void;
  readonly refusedAct: (request: Request, peer: PeerCredentials | undefined) => void;
}

export class ControlServer {
  readonly counters: ControlCounters = new Counters(CONTROL, this);
  #options: ControlServerOptions;
  readonly #readiness: Readiness;
  readonly #open = new Map<number, ControlConnection>();
  /** Those that have something to make, to send or to read from what they hold. */
  readonly #busy = new Set<ControlConnection>();
  readonly #listener: ControlListener;
  /** No deadline of a connection is earlier. */
  #earliestNs = Number.POSITIVE_INFINITY;
  #restEndNs = 0;
  #closeNs = Number.POSITIVE_INFINITY;

  /** Binds and starts to serve; throws `SocketPathError` or `SystemError`. */
  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#readiness = openReadiness(CONNECTIONS_MAX + 1, EVENTS_PER_TURN_MAX);
    if (this.#readiness.fd < -1)
      throw new SystemError("cannot watch connections", -this.#readiness.fd);
    try {
      this.#listener = new ControlListener(options, this.#readiness);
    } catch (error) {
      this.#readiness.close();
      throw error;
    }
  }

  get path(): string {
    return this.#listener.path;
  }

  get canBeWaitedFor(): boolean {
    return this.#readiness.fd >= 0;
  }

  /** Readable when a client wants something; -1 = it rests until `nextDeadlineNs`. */
  get fd(): number {
    return this.#restEndNs > 0 ? -1 : this.#readiness.fd;
  }

  /** There is work whose turn is the next one. */
  get pending(): boolean {
    return this.#busy.size > 0 && this.#restEndNs === 0;
  }

  get nextDeadlineNs(): number {
    if (this.closed) return Number.POSITIVE_INFINITY;
    const restNs = this.#restEndNs === 0 ? Number.POSITIVE_INFINITY : this.#restEndNs;
    return Math.min(this.#earliestNs, this.#listener.nextDeadlineNs, restNs, this.#closeNs);
  }

  get connections(): number {
    return this.#open.size;
  }

  get closed(): boolean {
    return this.#isClosing && this.#open.size === 0;
  }

  /** False if the file at its path is not its socket any more. */
  get isInPlace(): boolean {
    return this.#listener.isInPlace;
  }

  get #isClosing(): boolean {
    return this.#closeNs !== Number.POSITIVE_INFINITY;
  }

  /** Makes the socket again; connections go on. Throws as the constructor does. */
  rebind(): void {
    this.#listener.rebind();
  }

  /**
   * Goes by other settings from the next request on. `moved` = it listens there from now on, where
   * it was bound before; connections go on.
   */
  change(settings: ControlSettings, moved: BoundControl | undefined): void {
    this.#options = { ...this.#options, ...settings };
    this.#listener.change(settings, moved, (fd) => this.#admit(fd));
  }

  /** The work of one turn; true if some is left for the next one. */
  serveSlice(budgetNs: number): boolean {
    const { nowNs } = this.#options;
    const startNs = nowNs();
    if (startNs < this.#restEndNs) return false;
    this.#restEndNs = 0;
    const endNs = startNs + Math.min(budgetNs, SLICE_NS_MAX);
    this.#expire(startNs);
    const didWork = this.#look() || this.#busy.size > 0;
    this.#serveBusy(endNs);
    const tookNs = nowNs() - startNs;
    if (didWork && tookNs > 0) this.#restEndNs = nowNs() + REST_PARTS * tookNs;
    return this.pending;
  }

  /** No more connections and requests; answers under way have a moment. */
  beginClose(): void {
    if (this.#isClosing) return;
    this.#closeNs = this.#options.nowNs() + DRAIN_NS_MAX;
    this.#listener.close();
    for (const open of [...this.#open.values()]) this.#drain(open);
  }

  /** Gives its descriptor back, once it is closed. */
  release(): void {
    this.#readiness.close();
  }

  // A stream has no end of its own, and one that asks nothing waits for nothing.
  #drain(open: ControlConnection): void {
    open.isLast = true;
    if (open.answer === undefined && open.unsent === 0) this.#end(open);
    else if (open.isWaiting) this.#refuse(open, CLOSING);
  }

  // --- accepting and reading

  /** True if anything was ready. */
  #look(): boolean {
    const ready = this.#readiness.look();
    let mayAccept = false;
    for (let i = 0; i < ready; i++) {
      const fd = this.#readiness.readyFd(i);
      if (fd === this.#listener.fd) mayAccept = true;
      else this.#onReady(fd, this.#readiness.readyEvents(i));
    }
    // After the events: a descriptor that is closed and given out again is another connection.
    if (mayAccept) this.#listener.acceptSome(this.#options.nowNs(), (fd) => this.#admit(fd));
    return ready > 0;
  }

  #onReady(fd: number, events: number): void {
    const open = this.#open.get(fd);
    if (open === undefined) return;
    if (open.answer === undefined && open.unsent === 0) this.#read(open);
    else if ((events & (POLLERR | POLLHUP)) !== 0) this.#end(open);
    else this.#busy.add(open);
  }

  #admit(fd: number): void {
    const peer = peerCredentials(fd);
    const open = new ControlConnection(fd, peer);
    const uids = [...this.#open.values()].map((one) => one.peer?.uid);
    const mayStay = hasPlace(peer?.uid, uids, this.#options.daemonUid);
    if (!mayStay || this.#readiness.add(fd, POLLIN) < 0) {
      this.counters.add(CONTROL.refused.too_many);
      open.put(refusalText(TOO_MANY));
      open.flush();
      close(fd);
      return;
    }
    open.events = POLLIN;
    this.#open.set(fd, open);
    this.#setDeadline(open, PATIENCE_NS);
    // Its request has mostly come with it.
    this.#read(open);
  }

  #read(open: ControlConnection): void {
    const before = open.held;
    if (!open.receive()) this.#end(open);
    else if (open.held > 0 || open.hasEnded) {
      if (before === 0 && open.held > 0) this.#setDeadline(open, PATIENCE_NS);
      this.#busy.add(open);
    }
  }

  // --- answering

  /** One piece for each that has something to do, again and again until the time is over. */
  #serveBusy(endNs: number): void {
    // What is added again comes after the others, also within this loop.
    for (const open of this.#busy) {
      this.#busy.delete(open);
      if (this.#serveOne(open)) this.#busy.add(open);
      if (this.#options.nowNs() >= endNs) return;
    }
  }

  /** Makes a piece and sends, or takes a line; false if there is nothing to do before an event. */
  #serveOne(open: ControlConnection): boolean {
    if (this.#open.get(open.fd) !== open) return false;
    if (open.answer === undefined && open.unsent === 0) return this.#takeLine(open);
    if (open.answer !== undefined && !open.isWaiting && open.hasRoom) this.#makePiece(open);
    const before = open.unsent;
    const result = open.flush();
    if (result === SEND_FAILED) {
      this.#end(open);
      return false;
    }
    if (open.unsent < before) this.#setDeadline(open, patienceNs(open));
    if (result === SENT_ALL) return this.#sentAll(open);
    this.#watch(open, POLLOUT);
    return open.answer !== undefined && !open.isWaiting && open.hasRoom;
  }

  /** True if there is more to do at once. */
  #sentAll(open: ControlConnection): boolean {
    if (open.answer !== undefined) {
      this.#watch(open, 0);
      this.#setDeadline(open, open.isWaiting ? quietNs(open) : patienceNs(open));
      return !open.isWaiting;
    }
    if (open.isLast) {
      this.#end(open);
      return false;
    }
    this.#watch(open, POLLIN);
    this.#setDeadline(open, open.held > 0 ? PATIENCE_NS : IDLE_NS_MAX);
    return open.held > 0 || open.hasEnded;
  }

  #makePiece(open: ControlConnection): void {
    const piece = open.answer!.next();
    if (piece === null && open.isLast) this.#refuse(open, CLOSING);
    else if (piece === null) open.isWaiting = true;
    else if (piece === undefined) {
      open.answer?.end?.();
      open.answer = undefined;
      open.put('{"done":true}\n');
    } else if (piece !== "") {
      const code = refusalIn(piece);
      if (code !== undefined) this.counters.add(CONTROL.refused[code]);
      open.put(piece);
    }
  }

  #takeLine(open: ControlConnection): boolean {
    const line = open.takeLine();
    if (line === undefined) {
      if (open.isTooLong) this.#refuse(open, TOO_LONG);
      else if (open.hasEnded) this.#end(open);
      return open.unsent > 0;
    }
    if (!isBlank(line)) this.#answer(open, line);
    return true;
  }

  #answer(open: ControlConnection, line: Uint8Array): void {
    const parsed = parseRequestLine(line, this.#options.requests);
    // Nothing of it is read meanwhile: what it sends stays in the kernel, and then with the client.
    this.#watch(open, 0);
    this.#setDeadline(open, PATIENCE_NS);
    if ("refusal" in parsed) {
      // What follows bytes that are no line is none, either.
      if (parsed.refusal.error === "bad_line") this.#refuse(open, parsed.refusal);
      else this.#reject(open, parsed.refusal);
      return;
    }
    const { request, args } = parsed;
    if (request.right !== "read" && !this.#letDo(open, request, args)) return;
    open.requests += 1;
    open.isWaiting = false;
    this.counters.add(CONTROL.requests);
    const asker = { peer: open.peer, wake: () => this.#wake(open) };
    open.answer = request.run(args, this.#options.sources, asker);
  }

  #letDo(open: ControlConnection, request: Request, args: Arguments): boolean {
    const { daemonUid, operators, refusedAct, acted } = this.#options;
    if (open.isGone) this.#giveUp(open, "unread");
    else if (request.right === "beat") return true;
    else if (mayAct(open.peer, daemonUid, operators, groupsAt(open.fd))) {
      acted(request, args, open.peer!);
      return true;
    } else {
      refusedAct(request, open.peer);
      this.#reject(open, mayNotAct(request.name));
    }
    return false;
  }

  #wake(open: ControlConnection): void {
    if (this.#open.get(open.fd) !== open || open.answer === undefined) return;
    // The time of one that has not read the rest before this goes on.
    if (open.unsent === 0) this.#setDeadline(open, patienceNs(open));
    open.isWaiting = false;
    this.#busy.add(open);
  }

  /** The request is refused, the connection goes on. */
  #reject(open: ControlConnection, refusal: Refusal): void {
    open.answer = refusalPieces(refusal);
    open.isWaiting = false;
  }

  /** The last thing that the connection hears. */
  #refuse(open: ControlConnection, refusal: Refusal): void {
    this.counters.add(CONTROL.refused[refusal.error]);
    open.answer?.end?.();
    open.answer = undefined;
    open.isLast = true;
    open.forget();
    open.put(refusalText(refusal));
    this.#setDeadline(open, PATIENCE_NS);
    this.#busy.add(open);
  }

  // --- ending

  #expire(nowNs: number): void {
    if (nowNs >= this.#closeNs) for (const open of [...this.#open.values()]) this.#end(open);
    this.#listener.maintain(nowNs);
    if (nowNs < this.#earliestNs) return;
    for (const open of [...this.#open.values()]) if (nowNs >= open.deadlineNs) this.#expired(open);
    this.#earliestNs = Number.POSITIVE_INFINITY;
    for (const { deadlineNs } of this.#open.values())
      if (deadlineNs < this.#earliestNs) this.#earliestNs = deadlineNs;
  }

  #expired(open: ControlConnection): void {
    const { keepAlive } = open.answer ?? {};
    if (keepAlive !== undefined && open.isWaiting && open.unsent === 0) {
      open.put(keepAlive);
      this.#setDeadline(open, patienceNs(open));
      this.#busy.add(open);
    } else if (open.answer !== undefined || open.unsent > 0) this.#giveUp(open, "unread");
    else if (open.held > 0) this.#refuse(open, TOO_SLOW);
    else if (open.requests === 0) this.#giveUp(open, "idle");
    else this.#end(open);
  }

  #giveUp(open: ControlConnection, reason: RefusedReason): void {
    this.counters.add(CONTROL.refused[reason]);
    this.#end(open);
  }

  #end(open: ControlConnection): void {
    open.answer?.end?.();
    open.answer = undefined;
    this.#busy.delete(open);
    this.#open.delete(open.fd);
    this.#readiness.remove(open.fd);
    close(open.fd);
  }

  #watch(open: ControlConnection, events: number): void {
    if (open.events === events) return;
    open.events = events;
    this.#readiness.change(open.fd, events);
  }

  #setDeadline(open: ControlConnection, inNs: number): void {
    open.deadlineNs = this.#options.nowNs() + inNs;
    if (open.deadlineNs < this.#earliestNs) this.#earliestNs = open.deadlineNs;
  }
}
