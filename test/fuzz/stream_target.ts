// Bytes of several senders over several connections, cut anywhere, through the assembly of frames:
// it must give the frames that a literal reader of the whole history finds, each where it says, and
// never a byte of one sender in the frame of another.
import { FRAME_BYTES } from "../../src/base/limits.ts";
import { REJECT_CTRL_TRUNCATED } from "../../src/base/reject_reason.ts";
import {
  FRAME_MIXED,
  FRAME_PART,
  FRAME_WHOLE,
  FrameAssembly,
  PartSender,
} from "../../src/listener/frame_assembly.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { CONTROL_BYTES } from "../../src/wire/control_datagram.ts";
import { framesOf, type SentByte } from "../reference/stream_frames.ts";
import type { Random } from "../simulation/random.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const CONNECTIONS = 4;
const SLOTS = 8;

interface Connection {
  readonly sent: SentByte[];
  /** Bytes that the assembly was given. */
  taken: number;
  readonly frames: { bytes: number[]; sender: number }[];
  isMixed: boolean;
}

export class StreamTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #assembly = new FrameAssembly(CONNECTIONS);
  readonly #sender = new PartSender();
  readonly #arena = new Uint8Array(SLOTS * CONTROL_BYTES);

  round(random: Random): void {
    const connections = Array.from({ length: CONNECTIONS }, (): Connection => {
      return { sent: writes(random), taken: 0, frames: [], isMixed: false };
    });
    for (let row = 0; row < CONNECTIONS; row++) this.#assembly.begin(row);
    const isOpen = ({ isMixed, taken, sent }: Connection) => !isMixed && taken < sent.length;
    while (connections.some(isOpen)) {
      const row = random.below(CONNECTIONS);
      if (isOpen(connections[row]!)) this.#read(random, row, connections[row]!);
    }
    for (const [row, { sent, frames, isMixed }] of connections.entries()) {
      const wanted = framesOf(sent);
      const what = `connection ${row} of ${sent.map(({ sender }) => sender).join("")}`;
      same(what, frames, wanted.frames);
      same(what, isMixed, wanted.isMixed);
      if (!isMixed) same(what, this.#assembly.have(row), wanted.half);
      count(this, isMixed ? "mixed" : wanted.half > 0 ? "half" : "whole");
    }
  }

  [Symbol.dispose](): void {}

  // As the kernel reads: no more than is wanted, and never beyond the bytes of one sender.
  #read(random: Random, row: number, connection: Connection): void {
    const { sent, taken } = connection;
    const have = this.#assembly.have(row);
    const { sender } = sent[taken]!;
    const wants = this.#assembly.wants(row);
    const length = random.chance(0.5) ? wants : 1 + random.below(wants);
    const most = sent.slice(taken, taken + length);
    const end = most.findIndex((byte) => byte.sender !== sender);
    const read = end < 0 ? most : most.slice(0, end);
    const at = random.below(SLOTS) * CONTROL_BYTES;
    this.#arena.fill(0xee);
    this.#assembly.lay(row, this.#arena, at);
    for (const [i, { value }] of read.entries()) this.#arena[at + have + i] = value;
    Object.assign(this.#sender, { pid: sender, uid: sender, gid: sender, verdict: VERDICT_PASS });
    // One part of a frame is marked by its first byte: the whole frame then bears the mark.
    if (read.some(({ value }) => value === 0xff)) this.#sender.verdict = REJECT_CTRL_TRUNCATED;
    const part = { from: this.#arena, at, length: read.length };
    const result = this.#assembly.take(row, part, this.#sender);
    connection.taken += read.length;
    if (result === FRAME_MIXED) connection.isMixed = true;
    if (result !== FRAME_WHOLE) {
      if (result === FRAME_PART) same("bytes kept", this.#assembly.have(row), have + read.length);
      return;
    }
    const bytes = [...this.#arena.subarray(at, at + have + read.length)];
    count(this, bytes.length === FRAME_BYTES ? "frame" : "control frame");
    connection.frames.push({ bytes, sender });
    const isMarked = bytes.includes(0xff);
    same("verdict", this.#sender.verdict, isMarked ? REJECT_CTRL_TRUNCATED : VERDICT_PASS);
  }
}

/**
 * What the writers of a connection wrote: mostly whole frames, of either size, at times another's
 * within.
 */
function writes(random: Random): SentByte[] {
  const sent: SentByte[] = [];
  let sender = 2;
  const count = random.below(6);
  for (let i = 0; i < count; i++) {
    if (random.chance(0.3)) sender = 2 + random.below(3);
    const isControl = random.chance(0.3);
    const size = isControl ? CONTROL_BYTES : FRAME_BYTES;
    const length = random.chance(0.8) ? size : 1 + random.below(2 * FRAME_BYTES);
    const head = isControl ? [0x56, 0x43] : [];
    for (let byte = 0; byte < length; byte++)
      sent.push({ value: head[byte] ?? random.below(256), sender });
  }
  return sent;
}
