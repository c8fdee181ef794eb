// The keys of a listener: owned, and overwritten when the ring closes.
import { describe, expect, test } from "bun:test";
import { KeyRing } from "../../src/listener/key_ring.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";

const NOTHING = "00".repeat(32);

function key(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

describe("a key ring", () => {
  test("keeps the order of the shared keys and knows whether it has a master key", () => {
    const ring = new KeyRing({ shared: [key(1), key(2)], master: undefined });
    expect(ring.shared.map((shared) => shared[0])).toEqual([1, 2]);
    expect(ring.hasMaster).toBe(false);
    expect(new KeyRing({ shared: [], master: key(3) }).hasMaster).toBe(true);
  });

  test("takes 1 to 8 shared keys of 32 bytes, or a master key", () => {
    const keys = (count: number) => Array.from({ length: count }, (_, i) => key(i + 1));
    expect(new KeyRing({ shared: keys(8), master: key(9) }).shared).toHaveLength(8);
    expect(() => new KeyRing({ shared: keys(9), master: undefined })).toThrow("eight shared keys");
    expect(() => new KeyRing({ shared: [], master: undefined })).toThrow("or a master key");
    expect(() => new KeyRing({ shared: [new Uint8Array(31)], master: undefined })).toThrow("32");
    expect(() => new KeyRing({ shared: [], master: new Uint8Array(33) })).toThrow("32");
  });

  test("derives the key of an agent from the master key", () => {
    const ring = new KeyRing({ shared: [], master: key(5) });
    expect(ring.agentKey(7).toHex()).toBe(deriveAgentKey(key(5), 7).toHex());
  });

  test("takes other keys and overwrites those of before", () => {
    const [shared, master, next] = [key(1), key(5), key(2)];
    const ring = new KeyRing({ shared: [shared], master });
    ring.agentKey(7);
    ring.replace({ shared: [next], master: key(6) });
    expect([shared, master].map((one) => one.toHex())).toEqual([NOTHING, NOTHING]);
    expect(ring.shared).toEqual([next]);
    expect(ring.agentKey(7).toHex()).toBe(deriveAgentKey(key(6), 7).toHex());
  });

  test("never shows a key: not in text, not to an inspector, not in JSON", () => {
    const ring = new KeyRing({ shared: [key(0xab)], master: key(0xcd) });
    ring.agentKey(7);
    const shown = [Bun.inspect(ring, { depth: 10 }), JSON.stringify(ring), String(ring)].join("\n");
    expect(shown).not.toMatch(/171|205|abab|cdcd/);
  });
});

test("close() overwrites every key and can be called again", () => {
  const keys = { shared: [key(1), key(2)], master: key(3) };
  const ring = new KeyRing(keys);
  const agentKey = ring.agentKey(7);
  ring.close();
  ring.close();
  for (const wiped of [...keys.shared, keys.master, agentKey]) expect(wiped.toHex()).toBe(NOTHING);
  expect(ring.shared).toBeEmpty();
  expect(ring.hasMaster).toBe(false);
});
