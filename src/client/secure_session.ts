// The sealing of one client's frames (spec 02 sections 2 and 8): a random salt per session and
// process, IV prefixes derived from it, and a counter under each prefix. No prefix and counter are
// ever used twice, whatever the kernel says about a send: the counter moves with every seal, and
// the observer does not mind gaps. A crash beat has a prefix of its own. Keys are copies that
// wipe() overwrites.
import { randomFillSync } from "node:crypto";
import { U32_MAX } from "../base/u64.ts";
import {
  deriveAgentKey,
  deriveIvPrefix,
  derivePanicIvPrefix,
  SESSION_SALT_BYTES,
} from "../wire/key_derivation.ts";
import {
  type Aead,
  IV_RANDOM_BYTES,
  KEY_BYTES,
  sealMaster,
  sealShared,
} from "../wire/secure_frame.ts";

export interface SecureSessionOptions {
  /** 32 bytes; the session keeps a copy. */
  readonly key: Uint8Array;
  /**
   * "shared": the key seals 60-byte frames. "master": the key of this process is derived from it,
   * for 64-byte frames.
   */
  readonly keyKind: "shared" | "master";
  /** Seals instead of our own cipher. */
  readonly aead?: Aead | undefined;
  /** Fills the salt; tests know what with. */
  readonly random?: (bytes: Uint8Array) => void;
  /** Where the first session begins; tests begin close to the end. */
  readonly prefixIndex?: number;
  readonly ivCounter?: number;
}

export class SecureSession {
  readonly #key: Uint8Array;
  readonly #isMaster: boolean;
  readonly #aead: Aead | undefined;
  readonly #random: (bytes: Uint8Array) => void;
  readonly #salt = new Uint8Array(SESSION_SALT_BYTES);
  readonly #ivRandom = new Uint8Array(IV_RANDOM_BYTES);
  readonly #agentKey = new Uint8Array(KEY_BYTES);
  /** The process that salt and agent key belong to; 0 = none yet. */
  #pid = 0;
  #prefixIndex: number;
  /** Of the next frame; 2^32 = the prefix is used up. */
  #ivCounter: number;

  constructor(options: SecureSessionOptions) {
    this.#key = Uint8Array.from(options.key);
    this.#isMaster = options.keyKind === "master";
    this.#aead = options.aead;
    this.#random = options.random ?? randomFillSync;
    this.#prefixIndex = options.prefixIndex ?? 0;
    this.#ivCounter = options.ivCounter ?? 0;
  }

  get prefixIndex(): number {
    return this.#prefixIndex;
  }

  /**
   * Makes sure that the session is that of process `pid`: a forked child never uses its parent's
   * salt.
   */
  enter(pid: number): void {
    if (this.#pid === pid) return;
    const isFirst = this.#pid === 0;
    this.#pid = pid;
    if (this.#isMaster) this.#setAgentKey(deriveAgentKey(this.#key, pid));
    this.#begin(isFirst ? this.#prefixIndex : 0, isFirst ? this.#ivCounter : 0);
  }

  /** The datagram of an ordinary beat. */
  seal(frame: Uint8Array): Uint8Array {
    const ivCounter = this.#takeCounter();
    return this.#sealWith(this.#ivRandom, ivCounter, frame);
  }

  /**
   * The datagram of a crash beat: the first frame under a prefix that its timestamp and the used-up
   * counter make unique.
   */
  sealCrash(frame: Uint8Array, timestamp: bigint): Uint8Array {
    const used = this.#takeCounter();
    const ivRandom = derivePanicIvPrefix(this.#salt, this.#pid, timestamp, used);
    return this.#sealWith(ivRandom, 0, frame);
  }

  /** Overwrites every key. The session is then of no use. */
  wipe(): void {
    for (const secret of [this.#key, this.#agentKey, this.#salt, this.#ivRandom]) secret.fill(0);
  }

  #sealWith(ivRandom: Uint8Array, ivCounter: number, frame: Uint8Array): Uint8Array {
    const sealed = { ivRandom, ivCounter, frame, aead: this.#aead };
    if (!this.#isMaster) return sealShared({ ...sealed, key: this.#key });
    return sealMaster(this.#pid, { ...sealed, key: this.#agentKey });
  }

  #takeCounter(): number {
    if (this.#ivCounter > U32_MAX) this.#rotate();
    return this.#ivCounter++;
  }

  #rotate(): void {
    if (this.#prefixIndex === U32_MAX) this.#begin(0, 0);
    else this.#usePrefix(this.#prefixIndex + 1, 0);
  }

  #begin(prefixIndex: number, ivCounter: number): void {
    this.#random(this.#salt);
    this.#usePrefix(prefixIndex, ivCounter);
  }

  #usePrefix(prefixIndex: number, ivCounter: number): void {
    this.#ivRandom.set(deriveIvPrefix(this.#salt, prefixIndex));
    this.#prefixIndex = prefixIndex;
    this.#ivCounter = ivCounter;
  }

  #setAgentKey(derived: Uint8Array): void {
    this.#agentKey.set(derived);
    derived.fill(0);
  }
}

/** The 32 bytes of a key given as such or as 64 hex digits; undefined if it is neither. */
export function keyBytes(key: unknown): Uint8Array | undefined {
  if (key instanceof Uint8Array) return key.length === KEY_BYTES ? key : undefined;
  if (typeof key !== "string") return undefined;
  const digits = key.trim();
  return /^[0-9a-fA-F]{64}$/.test(digits) ? Buffer.from(digits, "hex") : undefined;
}
