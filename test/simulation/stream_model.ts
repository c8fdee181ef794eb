// What a stream listener owes, by the text of spec 05 section 10 alone: of each connection the
// frames that count, and why it is closed. Time stands still while all that waits is read.
import { framesOf } from "../reference/stream_frames.ts";
import { decodeFrame } from "../../src/wire/decode.ts";
import * as code from "../../src/wire/decode_error.ts";
import type { SimulatedConnection } from "./simulated_streams.ts";

const SECOND_NS = 1e9;
const FRAME_NS_MAX = 5 * SECOND_NS;
const SILENCE_NS_MAX = 24 * 3_600 * SECOND_NS;
const PER_PID_MAX = 16;
const FRAME_BYTES = 32;

/** Of a frame that ends its connection. */
const OUT_OF_STEP = new Map<number, string>([
  [code.DECODE_BAD_MAGIC, "magic"],
  [code.DECODE_BAD_VERSION, "version"],
  [code.DECODE_BAD_CRC, "crc"],
]);

interface Known {
  readonly connection: SimulatedConnection;
  /** Frames of it that were counted. */
  frames: number;
  frameDueNs: number;
  heardNs: number;
}

export class StreamModel {
  received = 0;
  /** Refused by decode, and because another process claims to be one. */
  bad = 0;
  foreign = 0;
  readonly closed = new Map<string, number>();
  /** When each process was heard last. */
  readonly heardNs = new Map<number, number>();
  readonly #alive: ReadonlySet<number>;
  readonly #open = new Set<Known>();
  #waiting: SimulatedConnection[] = [];

  constructor(alive: ReadonlySet<number>) {
    this.#alive = alive;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Connections of `pid`, also those that wait to be accepted. */
  countOf(pid: number): number {
    const all = [...[...this.#open].map(({ connection }) => connection), ...this.#waiting];
    return all.filter((connection) => connection.pid === pid).length;
  }

  connected(connection: SimulatedConnection): void {
    this.#waiting.push(connection);
  }

  /** All that waits is read at `nowNs`. */
  settle(nowNs: number): void {
    for (const connection of this.#waiting) this.#accept(connection, nowNs);
    this.#waiting = [];
    for (const known of this.#open) {
      const reason = this.#read(known, nowNs) ?? this.#dueReason(known, nowNs);
      if (reason === undefined) continue;
      this.#open.delete(known);
      this.#count(reason);
    }
  }

  #accept(connection: SimulatedConnection, nowNs: number): void {
    const others = [...this.#open].filter((one) => one.connection.pid === connection.pid);
    if (others.length >= PER_PID_MAX) this.#count("limit_pid");
    else
      this.#open.add({ connection, frames: 0, frameDueNs: nowNs + FRAME_NS_MAX, heardNs: nowNs });
  }

  /** Why it is closed by what came. */
  #read(known: Known, nowNs: number): string | undefined {
    const { connection } = known;
    // None is a control frame, which would be longer.
    const rest = connection.sent.slice(known.frames * FRAME_BYTES);
    const { frames, isMixed, half } = framesOf(rest);
    for (const { bytes, sender } of frames) {
      known.frames += 1;
      known.heardNs = nowNs;
      known.frameDueNs = Number.POSITIVE_INFINITY;
      const reason = this.#take(bytes, sender, nowNs);
      if (reason !== undefined) return reason;
    }
    if (isMixed) return "mixed_senders";
    if (connection.isClosedByClient) return half > 0 ? "half_frame" : "by_client";
    if (half > 0) known.frameDueNs = Math.min(known.frameDueNs, nowNs + FRAME_NS_MAX);
    return undefined;
  }

  #take(bytes: readonly number[], sender: number, nowNs: number): string | undefined {
    this.received += 1;
    const words = new Uint32Array(Uint8Array.from(bytes).buffer);
    const decoded = decodeFrame(words, 0);
    if (decoded !== code.DECODE_OK) this.bad += 1;
    else if (words[1] !== sender) this.foreign += 1;
    else this.heardNs.set(sender, nowNs);
    return OUT_OF_STEP.get(decoded);
  }

  #dueReason({ connection, frameDueNs, heardNs }: Known, nowNs: number): string | undefined {
    if (!this.#alive.has(connection.pid)) return "process_ended";
    if (frameDueNs <= nowNs) return "late_frame";
    return heardNs + SILENCE_NS_MAX <= nowNs ? "silence" : undefined;
  }

  #count(reason: string): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1);
  }
}
