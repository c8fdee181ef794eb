// The sealing of a client's frames, opened by the literal cipher and held against the vectors of
// spec 02 section 2.1.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { keyBytes, SecureSession } from "../../src/client/secure_session.ts";
import { encode } from "../../src/wire/encode.ts";
import { aeadOpen } from "../reference/aead.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const U32_MAX = 0xffff_ffff;
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const SALT = Uint8Array.fromHex("0102030405060708090a0b0c0d0e0f10");
const FRAME = encode({ status: "ok", pid: 2, timestamp: 1_000n, nonce: 1n, payload: 0 });
/** HKDF(SALT, index): the second is the golden vector kdf-iv-prefix. */
const PREFIX_7 = "9fee777f36be69ce";
const AGENT_KEY_OF_2 = "db292f5843a0737aec785a9df270561b343d06e5fe8f89fce72f0869ba77afd5";

interface Given {
  readonly keyKind?: "shared" | "master";
  readonly salts?: Uint8Array[];
  readonly prefixIndex?: number;
  readonly ivCounter?: number;
}

/** A session of process 2 whose salts come from a list. */
function session({ keyKind = "shared", salts = [SALT], ...start }: Given = {}): SecureSession {
  const left = [...salts];
  const made = new SecureSession({
    key: KEY,
    keyKind,
    random: (bytes) => bytes.set(left.shift()!),
    ...start,
  });
  made.enter(2);
  return made;
}

/** Prefix in hex and counter of a 60-byte datagram, or of the last 60 bytes of a longer one. */
function ivOf(datagram: Uint8Array): [string, number] {
  const sealed = datagram.slice(-60);
  return [sealed.slice(0, 8).toHex(), new DataView(sealed.buffer).getUint32(8, true)];
}

function openShared(datagram: Uint8Array, key = KEY): string | undefined {
  const nonce = datagram.slice(0, 12);
  const additional = new Uint8Array(0);
  return aeadOpen({ key, nonce, additional }, datagram.slice(12))?.toHex();
}

describe("SecureSession", () => {
  test("seals 60 bytes with the shared key, under the derived prefix and a counter from 0", () => {
    const own = session({ prefixIndex: 7 });
    const [first, second] = [own.seal(FRAME), own.seal(FRAME)];
    expect(first.length).toBe(60);
    expect([ivOf(first), ivOf(second)]).toEqual([
      [PREFIX_7, 0],
      [PREFIX_7, 1],
    ]);
    expect(openShared(first)).toBe(FRAME.toHex());
    expect(openShared(second)).toBe(FRAME.toHex());
  });

  test("seals 64 bytes with the key of its pid, which stands in front and is authenticated", () => {
    const datagram = session({ keyKind: "master" }).seal(FRAME);
    expect(datagram.length).toBe(64);
    const additional = datagram.slice(0, 4);
    expect([...additional]).toEqual([2, 0, 0, 0]);
    const key = Uint8Array.fromHex(AGENT_KEY_OF_2);
    const nonce = datagram.slice(4, 16);
    const opened = aeadOpen({ key, nonce, additional }, datagram.slice(16));
    expect(opened?.toHex()).toBe(FRAME.toHex());
    const bare = { key, nonce, additional: new Uint8Array(0) };
    expect(aeadOpen(bare, datagram.slice(16))).toBeUndefined();
  });

  test("uses every counter of a prefix once, then goes on under the next prefix from 0", () => {
    const own = session({ prefixIndex: 6, ivCounter: U32_MAX - 1 });
    const [last, veryLast, next, after] = Array.from({ length: 4 }, () => ivOf(own.seal(FRAME)));
    expect(last![1]).toBe(U32_MAX - 1);
    expect(veryLast).toEqual([last![0], U32_MAX]);
    expect([next, after]).toEqual([
      [PREFIX_7, 0],
      [PREFIX_7, 1],
    ]);
    expect(own.prefixIndex).toBe(7);
  });

  test("begins a new session with a new salt when prefixes and counters are used up", () => {
    const other = new Uint8Array(16).fill(0xa5);
    const own = session({
      salts: [SALT, other],
      prefixIndex: U32_MAX,
      ivCounter: U32_MAX,
    });
    const last = ivOf(own.seal(FRAME));
    const first = ivOf(own.seal(FRAME));
    const fresh = ivOf(session({ salts: [other] }).seal(FRAME));
    expect(last[1]).toBe(U32_MAX);
    expect(first).toEqual(fresh);
    expect(first[0]).not.toBe(last[0]);
    expect(own.prefixIndex).toBe(0);
  });

  test("gives another process a new salt, counters from 0 and its own key", () => {
    const other = new Uint8Array(16).fill(0xa5);
    const own = session({ salts: [SALT, other], keyKind: "master", ivCounter: 70, prefixIndex: 7 });
    const before = own.seal(FRAME);
    own.enter(2);
    expect(ivOf(own.seal(FRAME))).toEqual([PREFIX_7, 71]);
    own.enter(42);
    const after = own.seal(FRAME);
    const fresh = session({ salts: [other] });
    expect(ivOf(after)).toEqual(ivOf(fresh.seal(FRAME)));
    expect(ivOf(after)[1]).toBe(0);
    expect(before.slice(0, 4).toHex()).toBe("02000000");
    expect(after.slice(0, 4).toHex()).toBe("2a000000");
  });

  test("seals a crash beat under a prefix of its own with counter 0", () => {
    const salt = new Uint8Array(16).fill(0xa5);
    const own = session({ salts: [SALT, salt], ivCounter: 3 });
    own.enter(42);
    for (let i = 0; i < 7; i++) own.seal(FRAME);
    const crash = own.sealCrash(FRAME, 1_000n);
    // The golden panic prefix: pid 42, timestamp 1000, counter 7.
    expect(ivOf(crash)).toEqual(["e2615ed3e4f44375", 0]);
    expect(openShared(crash)).toBe(FRAME.toHex());
    const again = own.sealCrash(FRAME, 1_000n);
    expect(ivOf(again)[0]).not.toBe(ivOf(crash)[0]);
    expect(ivOf(own.seal(FRAME))[1]).toBe(9);
  });

  test("seals a crash beat after the very last counter, too", () => {
    const own = session({ ivCounter: U32_MAX });
    own.seal(FRAME);
    const crash = own.sealCrash(FRAME, 5n);
    expect(openShared(crash)).toBe(FRAME.toHex());
    expect(own.prefixIndex).toBe(1);
  });

  test("never uses a prefix and a counter twice", () => {
    const step = fc.constantFrom("seal", "crash", "fork");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, atTheEnd) => {
        let salts = 0;
        const own = new SecureSession({
          key: KEY,
          keyKind: "shared",
          random: (bytes) => bytes.fill(++salts),
          prefixIndex: atTheEnd ? U32_MAX : 0,
          ivCounter: U32_MAX - 3,
        });
        let pid = 2;
        own.enter(pid);
        const seen = new Set<string>();
        for (const each of steps) {
          if (each === "fork") own.enter(++pid);
          else
            seen.add(ivOf(each === "seal" ? own.seal(FRAME) : own.sealCrash(FRAME, 9n)).join(" "));
        }
        expect(seen.size).toBe(steps.filter((each) => each !== "fork").length);
      }),
      { numRuns: 60 },
    );
  });

  test("draws its salt from the system when nothing else decides it", () => {
    const prefixes = Array.from({ length: 20 }, () => {
      const own = new SecureSession({ key: KEY, keyKind: "shared" });
      own.enter(2);
      return ivOf(own.seal(FRAME))[0];
    });
    expect(new Set(prefixes).size).toBe(20);
  });

  test("keeps a copy of the key, shows it nowhere and overwrites it", () => {
    const given = KEY.slice();
    const own = new SecureSession({ key: given, keyKind: "shared" });
    own.enter(2);
    expect(`${Bun.inspect(own, { depth: 9 })}${JSON.stringify(own)}`).not.toMatch(/[0-9]{2}, ?/);
    own.wipe();
    expect(given).toEqual(KEY);
    expect(openShared(own.seal(FRAME), new Uint8Array(32))).toBe(FRAME.toHex());
  });
});

describe("keyBytes()", () => {
  test("takes 32 bytes, and 64 hex digits as they stand in a file", () => {
    const digits = KEY.toHex();
    for (const good of [KEY, digits, digits.toUpperCase(), `${digits}\n`])
      expect(keyBytes(good)).toEqual(KEY);
  });

  test("takes nothing else", () => {
    const garbage = [
      ...[KEY.subarray(1), new Uint8Array(33), new Uint16Array(32), [...KEY], KEY.buffer],
      ...["", "00".repeat(31), "00".repeat(33), `g${"0".repeat(63)}`, null, undefined, 5, {}],
    ];
    for (const bad of garbage) expect(keyBytes(bad)).toBeUndefined();
  });
});
