// Keys derived from a master key, kept ready for 1,024 agents (spec 02 section 3): a direct-mapped
// table by pid hash, where a miss derives and replaces. It changes what a trial costs by one HKDF,
// never how many there are.
import { assert } from "../base/assert.ts";
import { hashU32 } from "../tables/bounded_index.ts";
import { deriveAgentKey } from "../wire/key_derivation.ts";
import { KEY_BYTES } from "../wire/secure_frame.ts";

/** Derived agent keys kept ready: as many as there are senders. A power of two. */
const AGENT_KEYS_CACHED = 1_024;

export class AgentKeys {
  readonly #pids = new Uint32Array(AGENT_KEYS_CACHED);
  readonly #present = new Uint8Array(AGENT_KEYS_CACHED);
  readonly #keys: readonly Uint8Array[] = emptyKeys();
  #derivations = 0;

  /** Keys derived so far. */
  get derivations(): number {
    return this.#derivations;
  }

  /**
   * The key of agent `pid` under `masterKey`, valid until the next call; the table must be wiped
   * when that changes.
   */
  keyOf(masterKey: Uint8Array, pid: number): Uint8Array {
    const at = hashU32(pid) & (AGENT_KEYS_CACHED - 1);
    const key = this.#keys[at]!;
    if (this.#present[at] === 1 && this.#pids[at] === pid) return key;
    const derived = deriveAgentKey(masterKey, pid);
    key.set(derived);
    derived.fill(0);
    this.#pids[at] = pid;
    this.#present[at] = 1;
    this.#derivations++;
    return key;
  }

  wipe(): void {
    for (const key of this.#keys) key.fill(0);
    this.#present.fill(0);
  }
}

function emptyKeys(): Uint8Array[] {
  return Array.from({ length: AGENT_KEYS_CACHED }, () => new Uint8Array(KEY_BYTES));
}

assert((AGENT_KEYS_CACHED & (AGENT_KEYS_CACHED - 1)) === 0, "the table size is a mask");
