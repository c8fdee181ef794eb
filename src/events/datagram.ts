// The datagram in hand: all that is known of one on its way through the check order, the tracker
// and the event rows (spec 04 section 5). An observer has one record and fills it in place, so a
// beat allocates nothing, and no function takes a train of numbers of which a caller could swap
// two.
import { ORIGIN_SOCKET_MODE_ONLY } from "../base/origin.ts";
import {
  controlKind,
  controlNonceHi,
  controlNonceLo,
  controlPid,
} from "../wire/control_datagram.ts";
import * as frame from "../wire/frame.ts";

/** Nothing vouches for the sender: any program can make datagrams of plain UDP. */
export const VOUCHED_NOT = 0;
/** The kernel names the sender: no other process can have sent the datagram. */
export const VOUCHED_BY_KERNEL = 1;
/** The sender has a key; but what it sent may have been recorded. */
export const VOUCHED_BY_KEY = 2;

export class Datagram {
  /** Number of its listener, in configuration order, and its row in the batch of that. */
  listenerNumber = 0;
  batchRow = 0;
  /** Observer time of its receive. */
  nowNs = 0;
  /** What it holds: FRAME_WORDS words from `frameWord` on. */
  words: Uint32Array = new Uint32Array(frame.FRAME_WORDS);
  frameWord = 0;

  /**
   * Its sender as the listener knows it: the trust class, and pid, uid and gid by the kernel's word
   * (0 = unknown).
   */
  origin: number = ORIGIN_SOCKET_MODE_ONLY;
  peerPid = 0;
  peerUid = 0;
  peerGid = 0;
  /** A VOUCHED code. */
  vouched = VOUCHED_NOT;
  /**
   * IP_WORDS from `sourceAt` on say where a datagram comes from that nothing vouches for; undefined
   * = nothing does.
   */
  sources: Uint32Array | undefined = undefined;
  sourceAt = 0;
  /** The same of one that a key vouches for, to be shown. */
  addresses: Uint32Array | undefined = undefined;

  /** CONTROL_HELLO or CONTROL_BYE; 0 = it is a frame. */
  control = 0;
  /**
   * It is no frame but a text, whose beat has no number and no clock: it leaves those of its member
   * as they are.
   */
  isUnnumbered = false;
  /** It was accepted. */
  isTaken = false;

  /** The fields of what it holds, once that is read; before, the pid is 0. */
  pid = 0;
  status = 0;
  isTerminal = false;
  timestampHi = 0;
  timestampLo = 0;
  nonceHi = 0;
  nonceLo = 0;
  payload = 0;

  /** The tracker's key of its sender, and the slot of that key; -1 = it is not tracked. */
  key = 0;
  slot = -1;
  /** Namespace and start time of the process that sent it; NaN = unknown. */
  namespaceInode = Number.NaN;
  generation = Number.NaN;
  /**
   * The number that its sender has in a container, and states: the pid above is the kernel's then,
   * and `innerGeneration` the start time of the process of which that is known. 0 = it states the
   * kernel's.
   */
  innerPid = 0;
  innerGeneration = Number.NaN;
  /** The system was asked for them. */
  identityWasRead = false;
  /** The process of `generation` sent it itself. */
  isProven = false;
  /**
   * What it leaves of its agent's allowance: as one more beat, and as the first one of an agent.
   */
  debt = 0;
  debtIfFirst = 0;

  /** Another datagram is taken in hand: what was found out about the last one is forgotten. */
  begin(batchRow: number): void {
    this.batchRow = batchRow;
    this.control = 0;
    this.isUnnumbered = false;
    this.isTaken = false;
    this.pid = 0;
    this.slot = -1;
    this.namespaceInode = Number.NaN;
    this.generation = Number.NaN;
    this.innerPid = 0;
    this.identityWasRead = false;
    this.isProven = false;
  }

  /** Reads the fields of the frame, which was decoded without an error. */
  readFrame(): void {
    const { words, frameWord: w } = this;
    this.pid = words[w + frame.WORD_PID]!;
    this.status = frame.frameStatus(words, w);
    this.isTerminal = frame.frameIsTerminal(words, w);
    this.timestampHi = words[w + frame.WORD_TIMESTAMP_HI]!;
    this.timestampLo = words[w + frame.WORD_TIMESTAMP_LO]!;
    this.nonceHi = words[w + frame.WORD_NONCE_HI]!;
    this.nonceLo = words[w + frame.WORD_NONCE_LO]!;
    this.payload = words[w + frame.WORD_PAYLOAD]!;
  }

  /** The same of a hello or a bye, which has no status, no clock and no payload. */
  readControl(): void {
    const { words, frameWord: w } = this;
    this.control = controlKind(words, w);
    this.pid = controlPid(words, w);
    this.nonceHi = controlNonceHi(words, w);
    this.nonceLo = controlNonceLo(words, w);
    this.isTerminal = false;
    this.timestampHi = 0;
    this.timestampLo = 0;
  }

  /** The gid that the kernel attests; NaN = none. */
  get attestedGid(): number {
    return this.peerPid === 0 ? Number.NaN : this.peerGid;
  }

  /** The uid that the kernel attests; NaN = none. */
  get attestedUid(): number {
    return this.peerPid === 0 ? Number.NaN : this.peerUid;
  }
}
