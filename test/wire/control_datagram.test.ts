// Hello and bye (spec 01 section 9), by the vectors and at the edges.
import { describe, expect, test } from "bun:test";
import {
  CONTROL_ERROR_NAMES,
  CONTROL_HELLO,
  CONTROL_OK,
  type Control,
  controlIntervalMs,
  controlKind,
  controlName,
  controlNonceHi,
  controlNonceLo,
  controlPid,
  decodeControl,
  encodeControl,
} from "../../src/wire/control_datagram.ts";
import { PID_INIT } from "../../src/wire/frame.ts";
import { u64FromPair } from "../../src/base/u64.ts";
import { referenceControlBytes } from "../reference/control_datagram.ts";
import { FRAME_BYTES } from "../../src/base/limits.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { referenceDecode } from "../reference/frame.ts";
import { ReferenceSecureListener } from "../reference/secure_listener.ts";
import vectors from "../vectors/control-datagrams.json";

/** Two words into an arena whose other bytes are not zero. */
const W = 2;

function decoded(datagram: Uint8Array, pidMin?: number): string | Control {
  const bytes = new Uint8Array(64 + W * 8).fill(0x61);
  bytes.set(datagram, W * 4);
  const words = new Uint32Array(bytes.buffer);
  const code = decodeControl({ words, bytes }, W, pidMin);
  if (code !== CONTROL_OK) return CONTROL_ERROR_NAMES[code]!;
  const nonce = u64FromPair(controlNonceHi(words, W), controlNonceLo(words, W));
  const pid = controlPid(words, W);
  if (controlKind(words, W) !== CONTROL_HELLO) return { kind: "bye", pid, nonce };
  const intervalMs = controlIntervalMs(words, W);
  return { kind: "hello", pid, nonce, intervalMs, name: controlName(bytes, W) };
}

function controlOf(vector: (typeof vectors.roundtrips)[number]): Control {
  const { kind, pid, name } = vector;
  const nonce = BigInt(vector.nonce);
  if (kind === "bye") return { kind, pid, nonce };
  return { kind: "hello", pid, nonce, intervalMs: vector.interval_ms, name };
}

describe("the vectors", () => {
  test.each(vectors.roundtrips.map((vector) => [vector.id, vector] as const))(
    "%s is written and read",
    (_id, vector) => {
      expect(encodeControl(controlOf(vector)).toHex()).toBe(vector.wire_hex);
      expect(decoded(Uint8Array.fromHex(vector.wire_hex))).toEqual(controlOf(vector));
    },
  );

  test.each(vectors.errors.map((vector) => [vector.id, vector.error, vector.wire_hex] as const))(
    "%s is refused as %s",
    (_id, error, hex) => {
      expect(decoded(Uint8Array.fromHex(hex))).toBe(error);
    },
  );

  test.each(vectors.sealed.map((vector) => [vector.id, vector] as const))(
    "%s is sealed so, and opened by the literal cipher",
    (_id, vector) => {
      const [key, frame, wire] = [vector.key_hex, vector.plaintext_hex, vector.wire_hex].map(
        (hex) => Uint8Array.fromHex(hex),
      );
      const { agent_pid: pid, iv_counter: ivCounter } = vector;
      const sealed = {
        ivRandom: Uint8Array.fromHex(vector.iv_random_hex),
        ivCounter,
        frame: frame!,
      };
      const isMaster = vector.key === "master";
      const made = isMaster
        ? sealMaster(pid, { key: deriveAgentKey(key!, pid), ...sealed })
        : sealShared({ key: key!, ...sealed });
      expect(made).toEqual(wire!);
      const keys = isMaster ? { shared: [], master: key } : { shared: [key!], master: undefined };
      const reader = new ReferenceSecureListener(keys, 1, 1e9);
      reader.takesControl = true;
      expect(reader.receive(wire!, 0, 0)).toBe("pass");
      expect(reader.plaintext).toEqual(frame!);
    },
  );

  test("are refused by their size where 32 bytes alone are known, and are no beat in any part", () => {
    const plain = [...vectors.roundtrips, ...vectors.errors].map(({ wire_hex }) => wire_hex);
    for (const bytes of plain.map((hex) => Uint8Array.fromHex(hex))) {
      expect(bytes.length).not.toBe(FRAME_BYTES);
      for (let at = 0; at + FRAME_BYTES <= bytes.length; at++)
        expect(referenceDecode(bytes.slice(at, at + FRAME_BYTES)).error).toBeDefined();
    }
    const reader = new ReferenceSecureListener({ shared: [], master: undefined }, 1, 1e9);
    for (const { wire_hex } of vectors.sealed)
      expect(reader.receive(Uint8Array.fromHex(wire_hex), 0, 0)).toBe("wrong_size");
  });

  test("have every error", () => {
    const found = new Set(vectors.errors.map(({ error }) => error));
    expect([...found]).toEqual(CONTROL_ERROR_NAMES.slice(1));
  });
});

const hello = { kind: 1, pid: 2, nonce: 1n, intervalMs: 5, name: "a" };

describe("decodeControl()", () => {
  test("takes pid 1 in a container, and pid 0 nowhere", () => {
    expect(decoded(referenceControlBytes({ ...hello, pid: 1 }), PID_INIT)).toMatchObject({
      pid: 1,
    });
    expect(decoded(referenceControlBytes({ ...hello, pid: 0 }), PID_INIT)).toBe("BadPid");
  });

  test("does not read interval and name of a bye", () => {
    const bye = referenceControlBytes({ ...hello, kind: 2, name: "\u0001/ \u00ff" });
    expect(decoded(bye)).toEqual({ kind: "bye", pid: 2, nonce: 1n });
  });

  test("says the first of several faults", () => {
    const worst = referenceControlBytes({ ...hello, kind: 9, pid: 0, nonce: 2n ** 64n - 1n });
    expect(decoded(worst)).toBe("BadKind");
    worst[59] = 1;
    expect(decoded(worst)).toBe("BadCrc");
    worst[2] = 0;
    expect(decoded(worst)).toBe("BadVersion");
    worst[0] = 0;
    expect(decoded(worst)).toBe("BadMagic");
  });

  test("knows a flipped bit wherever it is", () => {
    const good = referenceControlBytes(hello);
    for (let bit = 0; bit < 512; bit++) {
      const bytes = good.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(decoded(bytes)).toBeString();
    }
  });
});

describe("encodeControl()", () => {
  const base = { kind: "hello", pid: 2, nonce: 1n, intervalMs: 0, name: "" } as const;

  test.each([
    [{ pid: 0 }, "pid must be an integer in 1..4294967295: current value is 0"],
    [{ pid: 2 ** 32 }, "pid must be an integer in 1..4294967295: current value is 4294967296"],
    [{ nonce: 2n ** 64n - 1n }, "nonce must be in 0..18446744073709551614"],
    [{ nonce: -1n }, "nonce must be in 0..18446744073709551614: current value is -1"],
    [{ intervalMs: 0.5 }, "interval must be an integer in 0..4294967295: current value is 0.5"],
    [{ name: "12" }, 'current value is "12"'],
    [{ name: "other" }, 'not digits alone and not "other": current value is "other"'],
    [{ name: "a b" }, 'name must be 1 to 40 letters, digits, "_"'],
    [{ name: "x".repeat(41) }, "name must be 1 to 40 letters"],
  ])("refuses %p", (more, words) => {
    expect(() => encodeControl({ ...base, ...more })).toThrow(words as string);
  });
});
