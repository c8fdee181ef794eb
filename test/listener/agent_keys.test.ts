// The table of derived keys: always the right key, however pids collide.
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { AgentKeys } from "../../src/listener/agent_keys.ts";
import { hashU32 } from "../../src/tables/bounded_index.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { collidingKeys } from "../reference/bounded_index.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const MASTER = Uint8Array.from({ length: 32 }, (_, i) => i);
const [FIRST, SECOND] = collidingKeys(2, 5, 1_024) as [number, number];

test("keyOf() derives once and then knows, also for pid 0 and 2^32-1", () => {
  const keys = new AgentKeys();
  for (const pid of [0, 2, 2 ** 32 - 1]) {
    for (let i = 0; i < 3; i++)
      expect(keys.keyOf(MASTER, pid).toHex()).toBe(deriveAgentKey(MASTER, pid).toHex());
  }
  expect(keys.derivations).toBe(3);
});

test("keyOf() replaces a pid that shares its place, and derives it again when it comes back", () => {
  const keys = new AgentKeys();
  for (const pid of [FIRST, SECOND, FIRST])
    expect(keys.keyOf(MASTER, pid).toHex()).toBe(deriveAgentKey(MASTER, pid).toHex());
  expect(keys.derivations).toBe(3);
});

test("keyOf() keeps as many agents as the table has places", () => {
  const keys = new AgentKeys();
  const pidAt = new Map<number, number>();
  for (let pid = 2; pidAt.size < 1_024; pid++) pidAt.set(hashU32(pid) % 1_024, pid);
  for (let round = 0; round < 2; round++) for (const pid of pidAt.values()) keys.keyOf(MASTER, pid);
  expect(keys.derivations).toBe(1_024);
});

test("wipe() overwrites the keys that were handed out, and forgets whose they were", () => {
  const keys = new AgentKeys();
  const key = keys.keyOf(MASTER, 7);
  keys.wipe();
  expect(key.toHex()).toBe("00".repeat(32));
  const other = MASTER.map((byte) => byte ^ 0xff);
  expect(keys.keyOf(other, 7).toHex()).toBe(deriveAgentKey(other, 7).toHex());
});

test("keyOf() is right for any order of pids", () => {
  const keys = new AgentKeys();
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 2, 3, FIRST, SECOND, 2 ** 31)), (pids) => {
      for (const pid of pids)
        expect(keys.keyOf(MASTER, pid).toHex()).toBe(deriveAgentKey(MASTER, pid).toHex());
    }),
    { numRuns: 30 },
  );
});
