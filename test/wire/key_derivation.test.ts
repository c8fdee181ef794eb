// Key derivation against the conformance vectors, and that every input makes a key of its own
// (spec 02 section 2).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import {
  agentKeyInfo,
  deriveAgentKey,
  deriveEpochKey,
  deriveIvPrefix,
  derivePanicIvPrefix,
  epochKeyInfo,
  ivPrefixInfo,
} from "../../src/wire/key_derivation.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { bytesFromHex, loadVectors, type SecureVector } from "../vectors/load_vectors.ts";

setDefaultTimeout(TEST_MS_MAX);

const MASTER = Uint8Array.from({ length: 32 }, (_, i) => i);
const SALT = new Uint8Array(16).fill(0xa5);
const { secure_frame_vectors } = await loadVectors();

describe("conformance vectors", () => {
  test("kdf_agent_key: master, agent id and info give the key", () => {
    for (const vector of ofKind("kdf_agent_key")) {
      expect(agentKeyInfo(Number(vector["agent_id"])).toHex()).toBe(text(vector, "info_hex"));
      const key = deriveAgentKey(bytes(vector, "master_key_hex"), Number(vector["agent_id"]));
      expect(key.toHex()).toBe(text(vector, "expected_okm_hex"));
    }
  });

  test("kdf_iv_prefix: session salt and index give the prefix", () => {
    for (const vector of ofKind("kdf_iv_prefix")) {
      const index = Number(vector["prefix_index"]);
      expect(ivPrefixInfo(index).toHex()).toBe(text(vector, "info_hex"));
      const prefix = deriveIvPrefix(bytes(vector, "session_salt_hex"), index);
      expect(prefix.toHex()).toBe(text(vector, "expected_iv_prefix_hex"));
    }
  });

  test("kdf_epoch_key: agent key and epoch give the key", () => {
    for (const vector of ofKind("kdf_epoch_key")) {
      const epoch = BigInt(vector["epoch"]!);
      expect(epochKeyInfo(epoch).toHex()).toBe(text(vector, "info_hex"));
      const key = deriveEpochKey(bytes(vector, "agent_key_hex"), epoch);
      expect(key.toHex()).toBe(text(vector, "expected_okm_hex"));
    }
  });
});

describe("goldens of the specification", () => {
  test("the key of agent 2 under the master key 00..1f", () => {
    expect(deriveAgentKey(MASTER, 2).toHex()).toBe(
      "db292f5843a0737aec785a9df270561b343d06e5fe8f89fce72f0869ba77afd5",
    );
  });

  test("the panic prefix of pid 42 at 1000 with counter 7", () => {
    expect(derivePanicIvPrefix(SALT, 42, 1_000n, 7).toHex()).toBe("e2615ed3e4f44375");
  });
});

describe("every input makes a key of its own", () => {
  test("agent ids, also above 2^31", () => {
    const ids = [0, 1, 2, 256, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    expect(new Set(ids.map((id) => deriveAgentKey(MASTER, id).toHex())).size).toBe(ids.length);
  });

  test("master keys that differ in one bit", () => {
    const other = MASTER.slice();
    other[31]! ^= 0x80;
    expect(deriveAgentKey(other, 2).toHex()).not.toBe(deriveAgentKey(MASTER, 2).toHex());
  });

  test("salts and indices of prefixes", () => {
    const other = SALT.slice();
    other[0]! ^= 1;
    const prefixes = [0, 1, 2 ** 32 - 1].flatMap((index) => [
      deriveIvPrefix(SALT, index).toHex(),
      deriveIvPrefix(other, index).toHex(),
    ]);
    expect(new Set(prefixes).size).toBe(prefixes.length);
  });

  test("each part of a panic prefix", () => {
    const prefixes = [
      derivePanicIvPrefix(SALT, 42, 1_000n, 7),
      derivePanicIvPrefix(SALT, 43, 1_000n, 7),
      derivePanicIvPrefix(SALT, 42, 1_001n, 7),
      derivePanicIvPrefix(SALT, 42, 1_000n + 2n ** 32n, 7),
      derivePanicIvPrefix(SALT, 42, 1_000n, 8),
      deriveIvPrefix(SALT, 7),
    ].map((prefix) => prefix.toHex());
    expect(new Set(prefixes).size).toBe(prefixes.length);
  });

  test("epochs, also above 2^32", () => {
    const epochs = [0n, 1n, 2n ** 32n, 2n ** 64n - 1n];
    const keys = epochs.map((epoch) => deriveEpochKey(MASTER, epoch).toHex());
    expect(new Set(keys).size).toBe(epochs.length);
  });
});

test("an agent key is RFC 5869 with a salt of 32 zero bytes, spelled out with HMAC", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.nat(2 ** 32 - 1),
      (master, pid) => {
        const extracted = hmac(new Uint8Array(32), master);
        const id = [pid & 0xff, (pid >>> 8) & 0xff, (pid >>> 16) & 0xff, pid >>> 24];
        const info = [...new TextEncoder().encode("varta-agent-v1"), 0, ...id];
        const expected = hmac(extracted, Uint8Array.from([...info, 1]));
        expect(deriveAgentKey(master, pid).toHex()).toBe(expected.toHex());
      },
    ),
    { numRuns: atLength(15, 100) },
  );
});

function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(message).digest());
}

function ofKind(kind: string): SecureVector[] {
  const vectors = secure_frame_vectors.filter((vector) => vector.kind === kind);
  expect(vectors).not.toBeEmpty();
  return vectors;
}

function text(vector: SecureVector, field: string): string {
  return String(vector[field]);
}

function bytes(vector: SecureVector, field: string): Uint8Array {
  return bytesFromHex(text(vector, field));
}
