// Stream connections under luck: processes that connect, write whole frames and pieces of them,
// flood, fork, close and end, and a daemon that stops in between. After each step in which all that
// waits was read, what the observer counted and what became of each connection is what the model
// says, nobody is called silent who was heard, nobody is missed, and no descriptor is left.
import { REJECT_REASONS } from "../../src/base/reject_reason.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { CLOSE_REASONS } from "../../src/listener/stream_close.ts";
import { STREAM } from "../../src/listener/stream_counters.ts";
import { StreamPlaces } from "../../src/listener/stream_places.ts";
import { UnixStreamListener } from "../../src/listener/unix_stream.ts";
import type { UnixStreamSocket } from "../../src/listener/unix_stream_socket.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { LibraryObserver } from "../../src/observer/library.ts";
import { encode } from "../../src/wire/encode.ts";
import { ScriptedClock } from "../observer/harness.ts";
import { OWN_INODE, ScriptedProcesses } from "../support/scripted_processes.ts";
import { same } from "./failure.ts";
import type { Random } from "./random.ts";
import { LISTENING_FD, type SimulatedConnection, SimulatedStreams } from "./simulated_streams.ts";
import { StreamModel } from "./stream_model.ts";

export const STREAM_STEPS = 600;
const PROCESSES = 12;
const THRESHOLD_NS = 2 * NS_PER_S;
/** Fewer than one process may have, so that a limit is met only where it is looked for. */
const CONNECTIONS_PER_PROCESS = 6;
const FLOOD_FRAMES = 300;
const DAY_NS = 24 * 3_600 * NS_PER_S;
const FRAME_BYTES = 32;

/** A process, and where it writes. */
interface Writer {
  readonly pid: number;
  nonce: number;
  readonly connections: SimulatedConnection[];
  /** The rest of a frame of which a part was written, and where. */
  rest: { connection: SimulatedConnection; bytes: Uint8Array } | undefined;
  /** Where it wrote since all was read: by two at once its beats have no order. */
  usedLast: SimulatedConnection | undefined;
}

export interface StreamBreak {
  readonly kernel?: (kernel: SimulatedStreams) => void;
  readonly places?: (places: StreamPlaces) => void;
}

export class StreamWorld {
  readonly coverage = new Map<string, number>();
  readonly #random: Random;
  readonly #alive = new Set<number>();
  readonly #kernel = new SimulatedStreams(this.#alive);
  readonly #model = new StreamModel(this.#alive);
  readonly #clock = new ScriptedClock();
  readonly #listener: UnixStreamListener;
  readonly #observer: LibraryObserver;
  readonly #hasPauses: boolean;
  readonly #writers: Writer[] = [];
  readonly #stalled = new Set<number>();
  #nextPid = 100;

  constructor(random: Random, breaks: StreamBreak = {}) {
    this.#random = random;
    this.#hasPauses = random.chance(0.5);
    const places = new StreamPlaces();
    breaks.kernel?.(this.#kernel);
    breaks.places?.(places);
    const socket = { fd: LISTENING_FD, isTakenOver: false, directorySynced: true, close() {} };
    this.#listener = new UnixStreamListener(
      {
        ...{ name: "stream", path: "/nowhere", mode: 0o600, gid: undefined },
        ...{ allowList: undefined, places, fdEnd: 10_000, kernel: this.#kernel },
      },
      socket as unknown as UnixStreamSocket,
    );
    this.#observer = new LibraryObserver({
      thresholdNs: THRESHOLD_NS,
      clock: new ObserverClock(this.#clock),
      processes: new ScriptedProcesses(),
      observerInode: OWN_INODE,
      ...(this.#hasPauses && { pauseGapNs: THRESHOLD_NS / 4 }),
    });
    this.#observer.addListener(this.#listener);
    for (let i = 0; i < PROCESSES; i++) this.#begin();
  }

  step(): void {
    const random = this.#random;
    const writer = random.pick(this.#writers);
    const act = random.below(100);
    if (act < 12) this.#connect(writer);
    else if (act < 50) this.#beat(writer);
    else if (act < 65) this.#cut(writer);
    else if (act < 70) this.#damage(writer);
    else if (act < 77) this.#fork(writer);
    else if (act < 80) this.#flood(writer);
    else if (act < 85) this.#close(writer);
    else if (act < 88) this.#end(writer);
    else if (act < 90) this.#hoard(writer);
    else if (act < 93) this.#stop();
    else this.#pass(random.chance(0.02) ? DAY_NS : random.between(1, 900) * NS_PER_MS);
    if (random.chance(0.6)) this.#settle();
  }

  /** The daemon ends in order: what was written counts, and no write succeeds any more. */
  end(): void {
    this.#settle();
    // Who waits to be accepted is the next daemon's.
    for (const writer of this.#writers) if (writer.connections.some(isOpen)) this.#beat(writer);
    this.#listener.beginEnd();
    this.#pumpAll();
    this.#model.settle(this.#clock.ns);
    const { received } = this.#observer.accounting;
    same("frames received at the end", this.#model.received, received[0]);
    this.#listener.close();
    same("descriptors open at the end", 0, this.#kernel.openCount);
  }

  #begin(): void {
    const pid = this.#nextPid++;
    this.#alive.add(pid);
    const none = { rest: undefined, usedLast: undefined };
    this.#writers.push({ pid, nonce: 0, connections: [], ...none });
  }

  #connect(writer: Writer): SimulatedConnection | undefined {
    writer.connections.splice(0, Infinity, ...writer.connections.filter(isOpen));
    if (this.#model.countOf(writer.pid) >= CONNECTIONS_PER_PROCESS) return undefined;
    const connection = this.#kernel.connect(writer.pid);
    this.#model.connected(connection);
    writer.connections.push(connection);
    return connection;
  }

  /** Where it may write now. */
  #open(writer: Writer): SimulatedConnection | undefined {
    if (writer.rest !== undefined) {
      const { connection, bytes } = writer.rest;
      writer.rest = undefined;
      if (connection.write(bytes, writer.pid)) {
        writer.usedLast = connection;
        return connection;
      }
    }
    if (writer.usedLast !== undefined && isOpen(writer.usedLast)) return writer.usedLast;
    const open = writer.connections.filter(isOpen);
    return open.length > 0 ? this.#random.pick(open) : this.#connect(writer);
  }

  #frame(writer: Writer): Uint8Array {
    writer.nonce += 1;
    const { pid, nonce } = writer;
    return encode({ status: "ok", pid, timestamp: 1n, nonce: BigInt(nonce), payload: nonce });
  }

  #beat(writer: Writer): void {
    const connection = this.#open(writer);
    if (connection?.write(this.#frame(writer), writer.pid) !== true) return;
    writer.usedLast = connection;
  }

  #cut(writer: Writer): void {
    const connection = this.#open(writer);
    if (connection === undefined) return;
    const frame = this.#frame(writer);
    const at = this.#random.between(1, FRAME_BYTES - 1);
    if (!connection.write(frame.subarray(0, at), writer.pid)) return;
    writer.rest = { connection, bytes: frame.subarray(at) };
    writer.usedLast = connection;
    this.#saw(`cut at ${at}`);
  }

  #damage(writer: Writer): void {
    const connection = this.#open(writer);
    const frame = this.#frame(writer);
    frame[this.#random.pick([0, 2, 30])]! ^= 0x40;
    connection?.write(frame, writer.pid);
  }

  /** A child that has the connections of its parent writes a beat of that, or into one. */
  #fork(writer: Writer): void {
    const into = writer.rest?.connection ?? writer.connections.find(isOpen);
    this.#saw(writer.rest === undefined ? "beat of a child" : "child within a frame");
    const frame = this.#frame(writer);
    if (into?.write(frame, this.#nextPid++) === true && writer.rest !== undefined)
      writer.rest = undefined;
  }

  #flood(writer: Writer): void {
    const connection = this.#open(writer);
    if (connection === undefined) return;
    for (let i = 0; i < FLOOD_FRAMES; i++) connection.write(this.#frame(writer), writer.pid);
    writer.usedLast = connection;
    this.#saw("flood");
  }

  #close(writer: Writer): void {
    // What it wrote to another one would have no order.
    const open = writer.connections.filter((one) => isOpen(one) && one !== writer.usedLast);
    if (open.length === 0) return;
    const connection = this.#random.pick(open);
    connection.isClosedByClient = true;
    if (writer.rest?.connection === connection) writer.rest = undefined;
  }

  /** Its connections end with it, or a child has them. */
  #end(writer: Writer): void {
    this.#alive.delete(writer.pid);
    const isInherited = this.#random.chance(0.5);
    for (const connection of writer.connections) connection.isClosedByClient ||= !isInherited;
    this.#writers.splice(this.#writers.indexOf(writer), 1);
    this.#begin();
  }

  /** More connections than a process may have. */
  #hoard(writer: Writer): void {
    if (writer.rest !== undefined) return;
    this.#settle();
    for (let i = this.#model.countOf(writer.pid); i < 20; i++) {
      const connection = this.#kernel.connect(writer.pid);
      this.#model.connected(connection);
      // Nothing is written by those that are refused.
      if (i < 16) connection.write(this.#frame(writer), writer.pid);
    }
    writer.usedLast = undefined;
    this.#settle();
  }

  /** The daemon stands still for longer than any bound, and its clients go on. */
  #stop(): void {
    const beats = this.#random.between(20, 120);
    for (let i = 0; i < beats; i++) {
      this.#pass(100 * NS_PER_MS);
      this.#beat(this.#random.pick(this.#writers));
    }
    this.#saw("stop");
  }

  #pass(ns: number): void {
    this.#clock.ns += ns;
  }

  #pumpAll(): number[] {
    const stalls: number[] = [];
    for (let rounds = 0; rounds < 100_000; rounds++) {
      const wasReady = this.#kernel.isReady;
      this.#observer.pump(() => {}, this.#random.pick([1, 64, 4_096]));
      for (let stall = this.#observer.takeStall(); stall; stall = this.#observer.takeStall())
        stalls.push(stall.pid);
      if (!wasReady && !this.#kernel.isReady) return stalls;
    }
    throw new Error("what waits is never all read");
  }

  #settle(): void {
    const nowNs = this.#clock.ns;
    const stalls = this.#pumpAll();
    const model = this.#model;
    model.settle(nowNs);
    for (const writer of this.#writers) writer.usedLast = undefined;
    this.#compareCounts();
    this.#compareSilences(stalls, nowNs);
  }

  #compareCounts(): void {
    const model = this.#model;
    const { received, accepted } = this.#observer.accounting;
    const { streams } = this.#listener;
    streams.refresh(0);
    same("frames received", model.received, received[0]);
    same("refused by decode", model.bad, this.#rejected("decode"));
    same("refused by pid", model.foreign, this.#rejected("pid"));
    same("accepted", model.received - model.bad - model.foreign, accepted[0]);
    for (const reason of CLOSE_REASONS) {
      const count = model.closed.get(reason) ?? 0;
      same(`closed by ${reason}`, count, streams.get(STREAM.closed[reason]));
      this.coverage.set(`closed by ${reason}`, count);
    }
    same("connections", model.openCount, streams.get(STREAM.connections));
    same("descriptors", 2 * model.openCount, this.#kernel.openCount);
  }

  #compareSilences(stalls: readonly number[], nowNs: number): void {
    for (const pid of stalls) {
      const silentNs = nowNs - this.#model.heardNs.get(pid)!;
      same(`pid ${pid} was silent for its threshold`, true, silentNs >= THRESHOLD_NS);
      same(`pid ${pid} was told before`, false, this.#stalled.has(pid));
      this.#stalled.add(pid);
      this.#saw("stall");
    }
    for (const [pid, heardNs] of this.#model.heardNs) {
      if (heardNs === nowNs) this.#stalled.delete(pid);
      // A pause of the observer moves deadlines, which is another model's.
      const isDue = !this.#hasPauses && nowNs - heardNs >= THRESHOLD_NS;
      if (isDue) same(`pid ${pid} was told`, true, this.#stalled.has(pid));
    }
  }

  #rejected(reason: (typeof REJECT_REASONS)[number]): number {
    const { rejected } = this.#observer.accounting;
    return rejected[REJECT_REASONS.indexOf(reason)]!;
  }

  #saw(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }
}

function isOpen({ isShut, isClosedByClient }: SimulatedConnection): boolean {
  return !isShut && !isClosedByClient;
}
