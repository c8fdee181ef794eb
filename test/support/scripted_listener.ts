// A listener whose every receive is written down beforehand, and the datagrams for it. It fills the
// same columns as a real one, so the observer cannot tell the difference (spec 05 section 2).
import { IP_WORDS, IPV4_MAPPED } from "../../src/base/ip_text.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_SOCKET_MODE_ONLY } from "../../src/base/origin.ts";
import { u64Hi, u64Lo } from "../../src/base/u64.ts";
import type { AllowList } from "../../src/listener/allow_list.ts";
import type { Listener, ListenerKind } from "../../src/listener/listener.ts";
import { ReceivedBatch, VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { encodeControl } from "../../src/wire/control_datagram.ts";
import { encodeFrame } from "../../src/wire/encode.ts";
import { FRAME_WORDS, NONCE_TERMINAL, STATUS_CRITICAL, STATUS_OK } from "../../src/wire/frame.ts";

export interface Datagram {
  /** VERDICT_PASS, or the reject reason of the listener. */
  readonly verdict: number;
  readonly origin: number;
  /** What the kernel says about the sender; pid 0 = nothing. */
  readonly peerPid: number;
  readonly peerUid: number;
  readonly peerGid: number;
  readonly words: Uint32Array;
  /** Of a text: its bytes. */
  readonly textLength?: number;
  /**
   * Last number of the IPv4 address 10.0.0.x where it comes from, for a listener with `sources`.
   */
  readonly from?: number;
}

/** One receive: its datagrams (none = the socket is empty), or -errno. */
export type Receive = readonly Datagram[] | number;

/** Words between two frames: those of the arena, so that nothing relies on frames being packed. */
const STRIDE_WORDS = 16;
/** The same of texts. */
const TEXT_STRIDE_WORDS = 1_026;

export interface ScriptedListenerOptions {
  readonly name?: string;
  readonly kind?: ListenerKind;
  readonly allowList?: AllowList | undefined;
  /** Senders may state the pid that they have in a container. */
  readonly containers?: boolean;
  /** It says where its datagrams come from. */
  readonly sources?: boolean;
  /** The same, and a key vouches for the senders. */
  readonly addresses?: boolean;
  /** A descriptor for a real loop to wait on; -1 = none. */
  readonly fd?: number;
  /** Called at each receive, before its result. */
  readonly onReceive?: (name: string, nowNs: number) => void;
}

export class ScriptedListener implements Listener {
  readonly kind: ListenerKind;
  readonly name: string;
  readonly fd: number;
  readonly allowList: AllowList | undefined;
  readonly containers: boolean;
  readonly batch: ReceivedBatch;
  /** Receives that are still to come; at the end of the script the socket is empty. */
  readonly script: Receive[] = [];
  /** The observer time of every receive. */
  readonly receivedAtNs: number[] = [];
  closed = 0;
  /**
   * What the kernel says of the sender of a datagram that names `pid`: whether it has it still.
   * Undefined = nothing.
   */
  vouches: ((pid: number) => boolean) | undefined = undefined;
  /** How often it was asked, had a doubt reported, and saw the end of a batch. */
  asked = 0;
  doubts = 0;
  released = 0;
  readonly #onReceive: ((name: string, nowNs: number) => void) | undefined;

  constructor(options: ScriptedListenerOptions = {}) {
    this.kind = options.kind ?? "unix";
    const sources = options.sources === true ? new Uint32Array(BATCH_SIZE * IP_WORDS) : undefined;
    const strideWords = this.kind === "notify" ? TEXT_STRIDE_WORDS : STRIDE_WORDS;
    this.batch = new ReceivedBatch(new Uint32Array(BATCH_SIZE * strideWords), sources);
    if (this.kind === "notify") this.batch.textLength = new Uint32Array(BATCH_SIZE);
    if (options.addresses === true) this.batch.addresses = new Uint32Array(BATCH_SIZE * IP_WORDS);
    this.name = options.name ?? "scripted";
    this.allowList = options.allowList;
    this.containers = options.containers ?? false;
    this.fd = options.fd ?? -1;
    this.#onReceive = options.onReceive;
    for (let i = 0; i < BATCH_SIZE; i++) this.batch.frameWord[i] = i * strideWords;
    // Every process that has the pid of a sender now is that sender, unless a test says otherwise.
    this.batch.sentAfterGeneration = Number.POSITIVE_INFINITY;
  }

  /** Appends receives to the script. */
  queue(...receives: Receive[]): this {
    this.script.push(...receives);
    return this;
  }

  receive(nowNs: number): number {
    this.receivedAtNs.push(nowNs);
    this.#onReceive?.(this.name, nowNs);
    const next = this.script.shift();
    if (next === undefined) return 0;
    if (typeof next === "number") return next;
    next.forEach((datagram, i) => {
      this.#fill(datagram, i);
    });
    return next.length;
  }

  senderHasPid(i: number): boolean {
    this.asked += 1;
    return this.vouches!(this.batch.peerPid[i]!);
  }

  doubtSender(): void {
    this.doubts += 1;
  }

  release(): void {
    this.released += 1;
    this.batch.pidfd.fill(-1);
  }

  close(): void {
    this.closed += 1;
  }

  #fill(datagram: Datagram, i: number): void {
    const { batch } = this;
    batch.words.set(datagram.words, batch.frameWord[i]!);
    for (const addresses of [batch.sources, batch.addresses])
      addresses?.set([0, 0, IPV4_MAPPED, 0x0a00_0000 + (datagram.from ?? 0)], i * IP_WORDS);
    if (batch.textLength !== undefined) batch.textLength[i] = datagram.textLength ?? 0;
    batch.verdict[i] = datagram.verdict;
    batch.origin[i] = datagram.origin;
    batch.peerPid[i] = datagram.peerPid;
    batch.pidfd[i] = this.vouches === undefined ? -1 : 100 + i;
    batch.peerUid[i] = datagram.peerUid;
    batch.peerGid[i] = datagram.peerGid;
  }
}

export interface BeatFields {
  readonly nonce?: bigint | number;
  readonly status?: number;
  readonly timestamp?: bigint | number;
  readonly payload?: number;
  readonly verdict?: number;
  readonly origin?: number;
  readonly peerPid?: number;
  readonly peerUid?: number;
  readonly peerGid?: number;
  readonly from?: number;
}

/**
 * A beat of `pid`, vouched for by the kernel unless the test says otherwise; a peer pid of 0 makes
 * it SocketModeOnly.
 */
export function beatOf(pid: number, fields: BeatFields = {}): Datagram {
  const peerPid = fields.peerPid ?? pid;
  const nonce = BigInt(fields.nonce ?? 1);
  const timestamp = BigInt(fields.timestamp ?? 0);
  const status = fields.status ?? (nonce === NONCE_TERMINAL ? STATUS_CRITICAL : STATUS_OK);
  const words = new Uint32Array(FRAME_WORDS);
  encodeFrame(
    words,
    0,
    status,
    pid,
    u64Hi(timestamp),
    u64Lo(timestamp),
    u64Hi(nonce),
    u64Lo(nonce),
    fields.payload ?? 0,
  );
  return {
    verdict: fields.verdict ?? VERDICT_PASS,
    origin: fields.origin ?? (peerPid === 0 ? ORIGIN_SOCKET_MODE_ONLY : ORIGIN_KERNEL_ATTESTED),
    peerPid,
    peerUid: fields.peerUid ?? 1000,
    peerGid: fields.peerGid ?? 1000,
    words,
    ...(fields.from !== undefined && { from: fields.from }),
  };
}

export interface GreetingFields extends Omit<BeatFields, "status" | "timestamp" | "payload"> {
  readonly intervalMs?: number;
  readonly name?: string;
}

/** A hello of `pid`. */
export function helloOf(pid: number, fields: GreetingFields = {}): Datagram {
  return greetingOf("hello", pid, fields);
}

/** A bye of `pid`. */
export function byeOf(pid: number, fields: GreetingFields = {}): Datagram {
  return greetingOf("bye", pid, fields);
}

function greetingOf(kind: "hello" | "bye", pid: number, fields: GreetingFields): Datagram {
  const { nonce = 1, intervalMs = 0, name = "", ...sender } = fields;
  const bytes = encodeControl({ kind, pid, nonce: BigInt(nonce), intervalMs, name });
  const words = new Uint32Array(bytes.buffer);
  return { ...beatOf(pid, { verdict: VERDICT_CONTROL, ...sender }), words };
}

/** A message of `pid` for a listener of kind "notify". */
export function textOf(
  pid: number,
  text: string | Uint8Array,
  { peerUid = 1000, peerGid = 1000 }: Pick<BeatFields, "peerUid" | "peerGid"> = {},
): Datagram {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const kept = bytes.subarray(0, TEXT_STRIDE_WORDS * 4);
  const words = new Uint32Array(Math.ceil(kept.length / 4));
  new Uint8Array(words.buffer).set(kept);
  return {
    ...{ verdict: VERDICT_PASS, origin: ORIGIN_KERNEL_ATTESTED, peerPid: pid, peerUid, peerGid },
    ...{ words, textLength: bytes.length },
  };
}

/** The last beat of a panicking agent. */
export function terminalOf(
  pid: number,
  timestamp: bigint | number,
  fields: BeatFields = {},
): Datagram {
  return beatOf(pid, { ...fields, nonce: NONCE_TERMINAL, timestamp });
}

/** The same datagram with one bit of its payload flipped, so that its CRC is wrong. */
export function damaged(datagram: Datagram): Datagram {
  const words = datagram.words.slice();
  words[6]! ^= 1;
  return { ...datagram, words };
}
