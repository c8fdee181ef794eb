// Frames out of the bytes of stream connections (spec 05 section 10.1): cut at every byte, two
// frames in every two pieces, and the bytes of others. The fuzzer does the same at random.
import { describe, expect, test } from "bun:test";
import { FRAME_BYTES } from "../../src/base/limits.ts";
import { REJECT_CTRL_TRUNCATED } from "../../src/base/reject_reason.ts";
import {
  FRAME_MIXED,
  FRAME_PART,
  FRAME_WHOLE,
  FrameAssembly,
  PartSender,
} from "../../src/listener/frame_assembly.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { CONTROL_BYTES } from "../../src/wire/control_datagram.ts";

const FRAME = Uint8Array.from({ length: FRAME_BYTES }, (_, i) => 100 + i);

function sender(pid: number, verdict = VERDICT_PASS): PartSender {
  return Object.assign(new PartSender(), { pid, uid: 7, gid: 7, verdict });
}

/** Reads `bytes` of FRAME, which follow those that came before, into slot 0 of `into`. */
function read(assembly: FrameAssembly, bytes: number, from: PartSender, into: Uint8Array) {
  into.fill(0);
  const have = assembly.have(0);
  assembly.lay(0, into, 0);
  into.set(FRAME.subarray(have, have + bytes), have);
  return assembly.take(0, { from: into, at: 0, length: bytes }, from);
}

describe("FrameAssembly", () => {
  test("makes a frame that came in two pieces whole, wherever it was cut", () => {
    for (let cut = 1; cut < FRAME_BYTES; cut++) {
      const assembly = new FrameAssembly(1);
      const slot = new Uint8Array(FRAME_BYTES);
      expect(read(assembly, cut, sender(9), slot)).toBe(FRAME_PART);
      expect(assembly.have(0)).toBe(cut);
      expect(read(assembly, FRAME_BYTES - cut, sender(9), slot)).toBe(FRAME_WHOLE);
      expect(slot).toEqual(FRAME);
      expect(assembly.have(0)).toBe(0);
    }
  });

  test("makes a frame of single bytes whole", () => {
    const assembly = new FrameAssembly(1);
    const slot = new Uint8Array(FRAME_BYTES);
    const results = Array.from(FRAME, () => read(assembly, 1, sender(9), slot));
    expect(results).toEqual([...Array(FRAME_BYTES - 1).fill(FRAME_PART), FRAME_WHOLE]);
    expect(slot).toEqual(FRAME);
  });

  test.each([
    ["pid", { pid: 8 }],
    ["uid", { uid: 8 }],
    ["gid", { gid: 8 }],
  ])("never joins the bytes of a sender with another %s", (_, other) => {
    for (let cut = 1; cut < FRAME_BYTES; cut++) {
      const assembly = new FrameAssembly(1);
      const slot = new Uint8Array(FRAME_BYTES);
      read(assembly, cut, sender(9), slot);
      const from = Object.assign(sender(9), other);
      expect(read(assembly, FRAME_BYTES - cut, from, slot)).toBe(FRAME_MIXED);
    }
  });

  test("takes whole frames of one sender after those of another", () => {
    const assembly = new FrameAssembly(1);
    const slot = new Uint8Array(FRAME_BYTES);
    expect(read(assembly, FRAME_BYTES, sender(9), slot)).toBe(FRAME_WHOLE);
    expect(read(assembly, FRAME_BYTES, sender(8), slot)).toBe(FRAME_WHOLE);
  });

  test("refuses a frame for any part of it that is refused", () => {
    const assembly = new FrameAssembly(1);
    const slot = new Uint8Array(FRAME_BYTES);
    read(assembly, 10, sender(9, REJECT_CTRL_TRUNCATED), slot);
    const last = sender(9);
    read(assembly, 22, last, slot);
    expect(last.verdict).toBe(REJECT_CTRL_TRUNCATED);
    // And the next one is not.
    const next = sender(9);
    read(assembly, 5, next, slot);
    read(assembly, 27, next, slot);
    expect(next.verdict).toBe(VERDICT_PASS);
  });

  test("a new connection begins with a frame of its own", () => {
    const assembly = new FrameAssembly(1);
    const slot = new Uint8Array(FRAME_BYTES);
    read(assembly, 31, sender(9), slot);
    assembly.begin(0);
    expect(assembly.have(0)).toBe(0);
    expect(read(assembly, FRAME_BYTES, sender(8), slot)).toBe(FRAME_WHOLE);
  });

  test("knows by its first two bytes that a control frame is twice as long, wherever it is cut", () => {
    const control = Uint8Array.from({ length: CONTROL_BYTES }, (_, i) => [0x56, 0x43][i] ?? i);
    const slot = new Uint8Array(CONTROL_BYTES);
    for (let first = 1; first <= FRAME_BYTES; first++) {
      const assembly = new FrameAssembly(1);
      const results: number[] = [];
      for (let at = 0, length = first; at < CONTROL_BYTES; at += length) {
        length = Math.min(at === 0 ? first : CONTROL_BYTES, assembly.wants(0));
        slot.fill(0);
        assembly.lay(0, slot, 0);
        slot.set(control.subarray(at, at + length), at);
        results.push(assembly.take(0, { from: slot, at: 0, length }, sender(9)));
      }
      expect(results.pop()).toBe(FRAME_WHOLE);
      expect(results).not.toContain(FRAME_WHOLE);
      expect(slot).toEqual(control);
      expect(assembly.wants(0)).toBe(FRAME_BYTES);
    }
  });

  test("never wants a byte of the frame that follows", () => {
    const assembly = new FrameAssembly(1);
    const slot = new Uint8Array(FRAME_BYTES);
    expect(assembly.wants(0)).toBe(FRAME_BYTES);
    for (let have = 1; have < FRAME_BYTES; have++) {
      read(assembly, 1, sender(9), slot);
      expect(assembly.wants(0)).toBe(FRAME_BYTES - have);
    }
  });
});
