// Receive arenas that hold what the kernel would have put there: batches of valid beats of attested
// agents. The daemon's code and the C twin read the very same memory.
import { ptr } from "bun:ffi";
import { SCM_CREDENTIALS, SOL_SOCKET } from "../../ffi/constants.ts";
import { UCRED_CMSG_LEN } from "../../ffi/layout.ts";
import * as arena from "../../ffi/receive_batch.ts";
import { BATCH_SIZE, FRAME_BYTES } from "../../src/base/limits.ts";
import { CredentialCheck } from "../../src/listener/credential_check.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { ReceivedBatch } from "../../src/listener/received_batch.ts";
import { crc32cFrame } from "../../src/wire/crc32c.ts";

/** Pids are not dense in life either. */
const PID_STEP = 3;
const PID_FIRST = 1_000;
const HEAD_OK = 0x0002_4156;

export interface Arena {
  readonly memory: arena.ReceiveBatch;
  readonly batch: ReceivedBatch;
  readonly check: CredentialCheck;
  readonly pids: Uint32Array;
  /** Addresses for the twin: message headers, frames, control messages. */
  readonly headersAt: number;
  readonly framesAt: number;
  readonly controlAt: number;
}

/** One arena per 64 agents; each agent beats once. */
export function fullArenas(agents: number): Arena[] {
  return Array.from({ length: agents / BATCH_SIZE }, (_, i) => fullArena(i * BATCH_SIZE));
}

function fullArena(firstAgent: number): Arena {
  const memory = new arena.ReceiveBatch({
    iovBytes: FRAME_BYTES + 1,
    stride: 64,
    credentials: true,
  });
  const batch = new ReceivedBatch(memory.words);
  batch.sentAfterGeneration = Number.POSITIVE_INFINITY;
  const pids = new Uint32Array(BATCH_SIZE);
  for (let i = 0; i < BATCH_SIZE; i++) {
    batch.frameWord[i] = memory.dataWord + i * memory.dataStride;
    pids[i] = PID_FIRST + (firstAgent + i) * PID_STEP;
    writeFrame(memory.words, batch.frameWord[i]!, pids[i]!);
    writeCredentials(memory, i, pids[i]!);
  }
  const at = Number(ptr(memory.bytes));
  return {
    memory,
    batch,
    check: new CredentialCheck(memory, batch),
    pids,
    headersAt: at,
    framesAt: at + memory.dataWord * 4,
    controlAt: at + memory.controlWord * 4,
  };
}

function writeFrame(words: Uint32Array, w: number, pid: number): void {
  words.set([HEAD_OK, pid, 12_345, 7, 1, 0, 5], w);
  words[w + 7] = crc32cFrame(words, w);
}

function writeCredentials(memory: arena.ReceiveBatch, i: number, pid: number): void {
  const { words } = memory;
  const control = memory.controlWord + i * arena.CONTROL_STRIDE;
  words[i * arena.HEADER_STRIDE + arena.HEADER_LENGTH] = FRAME_BYTES;
  words[control + arena.CONTROL_LENGTH] = UCRED_CMSG_LEN;
  words[control + arena.CONTROL_LEVEL] = SOL_SOCKET;
  words[control + arena.CONTROL_TYPE] = SCM_CREDENTIALS;
  words[control + arena.CONTROL_PID] = pid;
}

/** A Unix listener without its system call: it offers the arenas in turn. */
export class ArenaListener implements Listener {
  readonly kind = "unix";
  readonly name = "arena";
  readonly fd = -1;
  readonly allowList = undefined;
  batch: ReceivedBatch;
  readonly #arenas: readonly Arena[];
  #next: number;

  constructor(arenas: readonly Arena[]) {
    this.#arenas = arenas;
    this.#next = arenas.length;
    this.batch = arenas[0]!.batch;
  }

  /** All batches come again. */
  rewind(): void {
    this.#next = 0;
  }

  receive(_nowNs: number): number {
    if (this.#next === this.#arenas.length) return 0;
    const { memory, batch, check } = this.#arenas[this.#next++]!;
    check.check(BATCH_SIZE);
    memory.reset(BATCH_SIZE);
    this.batch = batch;
    return BATCH_SIZE;
  }

  close(): void {}
}
