// The keys of one secure listener (spec 02 section 3): up to eight shared keys in the order of
// trial, the primary first, and a master key from which every agent has its own. Each key is one
// array that the ring owns from then on: it is overwritten with zeros when the ring closes. Nothing
// here turns a key into text.
import { assert } from "../base/assert.ts";
import { SHARED_KEYS_MAX } from "../base/limits.ts";
import { KEY_BYTES } from "../wire/secure_frame.ts";
import { AgentKeys } from "./agent_keys.ts";

export interface SecureKeys {
  /**
   * Primary first, then the accepted ones in the order of their file; may be empty if there is a
   * master key.
   */
  readonly shared: readonly Uint8Array[];
  readonly master: Uint8Array | undefined;
}

export class KeyRing {
  #shared: readonly Uint8Array[];
  #master: Uint8Array | undefined;
  readonly #agentKeys = new AgentKeys();

  /** Takes ownership of the arrays. */
  constructor(keys: SecureKeys) {
    checkKeys(keys);
    this.#shared = keys.shared;
    this.#master = keys.master;
  }

  get shared(): readonly Uint8Array[] {
    return this.#shared;
  }

  get hasMaster(): boolean {
    return this.#master !== undefined;
  }

  /** The derived key of agent `pid`, valid until the next call. Only with a master key. */
  agentKey(pid: number): Uint8Array {
    const master = this.#master;
    assert(master !== undefined, "agent keys come from a master key");
    return this.#agentKeys.keyOf(master, pid);
  }

  /** Takes ownership of other arrays; those of before are overwritten. */
  replace(keys: SecureKeys): void {
    checkKeys(keys);
    this.close();
    this.#shared = keys.shared;
    this.#master = keys.master;
  }

  /** Overwrites every key; the ring opens nothing any more. Idempotent. */
  close(): void {
    wipeKeys({ shared: this.#shared, master: this.#master });
    this.#shared = [];
    this.#master = undefined;
    this.#agentKeys.wipe();
  }
}

/** Overwrites keys that no ring has taken. */
export function wipeKeys({ shared, master }: SecureKeys): void {
  for (const key of shared) key.fill(0);
  master?.fill(0);
}

// The configuration has checked the files; no message shows what is in a key.
function checkKeys({ shared, master }: SecureKeys): void {
  assert(shared.length <= SHARED_KEYS_MAX, "a listener has at most eight shared keys");
  assert(shared.length > 0 || master !== undefined, "a listener has a shared key or a master key");
  for (const key of shared) assert(key.length === KEY_BYTES, "a key has 32 bytes");
  if (master !== undefined) assert(master.length === KEY_BYTES, "a master key has 32 bytes");
}
