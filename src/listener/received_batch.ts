// What every listener makes of a receive: one row per datagram, columns as typed arrays (spec 05
// section 2). The observer reads nothing else, so a scripted listener of a test or the simulator
// fills the same columns.
import { BATCH_SIZE } from "../base/limits.ts";

/**
 * `verdict` of a datagram that passed the listener's own checks; any other value is its reject
 * reason.
 */
export const VERDICT_PASS = 255;
/** The same of one that has the size of a hello or a bye. */
export const VERDICT_CONTROL = 254;

export class ReceivedBatch {
  /** Memory of the frames, by words and by bytes. */
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Word offset of the frame of datagram i. */
  readonly frameWord = new Uint32Array(BATCH_SIZE);
  readonly verdict = new Uint8Array(BATCH_SIZE);
  readonly origin = new Uint8Array(BATCH_SIZE);
  /** Pid that the kernel attests; 0 = unknown. */
  readonly peerPid = new Uint32Array(BATCH_SIZE);
  readonly peerUid = new Uint32Array(BATCH_SIZE);
  readonly peerGid = new Uint32Array(BATCH_SIZE);
  /**
   * Where datagram i comes from, IP_WORDS from index IP_WORDS x i on, of a listener whose senders
   * nothing vouches for; undefined = the listener does not say, or what vouches for the sender says
   * more.
   */
  readonly sources: Uint32Array | undefined;
  /**
   * In the same form where datagram i comes from, of a listener whose senders a key vouches for: it
   * says where to look for a member, and never who it is. Undefined = the listener does not say.
   */
  addresses: Uint32Array | undefined = undefined;

  /** How many datagrams the last receive could have taken: fewer = it left none. */
  countMax = BATCH_SIZE;
  /** With the last receive the queue was found full: its senders were refused meanwhile. */
  foundFull = false;
  /**
   * Descriptor of the very process that sent datagram i, by the kernel's word; -1 = none. The
   * listener's, until it is released.
   */
  readonly pidfd = new Int32Array(BATCH_SIZE).fill(-1);
  /**
   * Every datagram of the batch was sent after this moment: a process of a smaller generation that
   * still has the pid of a sender is that sender. NaN = nothing is known.
   */
  sentAfterGeneration = Number.NaN;
  /** And the batch was received after this one. */
  receivedGeneration = Number.NaN;

  /**
   * Of a listener whose datagrams are texts: the length of each, one more than the longest if it is
   * longer. The text begins where a frame would. Undefined = they are frames.
   */
  textLength: Uint32Array | undefined = undefined;

  constructor(words: Uint32Array, sources?: Uint32Array) {
    this.words = words;
    this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.sources = sources;
  }
}
