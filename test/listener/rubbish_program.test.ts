// The filter programs, run by a slow interpreter: they never drop what the listener could take for
// a beat, the strict one drops everything else, and what is sampled is a sample.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BPF_MAXINSNS } from "../../ffi/socket_filter.ts";
import { RUBBISH_SAMPLE, RUBBISH_SAMPLE_RARE } from "../../src/base/limits.ts";
import { frameFilters, sealedFilters } from "../../src/listener/rubbish_program.ts";
import { PID_INIT, PID_MIN } from "../../src/wire/frame.ts";
import { runClassicBpf } from "../reference/classic_bpf.ts";
import { referenceControlBytes, referenceControlDatagram } from "../reference/control_datagram.ts";
import { referenceCrc32c, referenceDecode, referenceEncode } from "../reference/frame.ts";

/** A random word of the kernel that picks nothing for the sample. */
const UNPICKED = 1;
const PICKED = 0;
const RUNS = 400;

const U64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const EDGE_U64 = fc.oneof(
  U64,
  fc.constantFrom(0n, 2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 32n - 1n, (2n ** 32n - 1n) << 32n),
);

/** Frames whose fields may each break a rule, with a right CRC. */
const frames = fc
  .record({
    status: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 255), fc.integer({ min: 0, max: 255 })),
    pid: fc.oneof(fc.constantFrom(0, 1, 2, 256, 0x0100_0000, 2 ** 32 - 1), fc.nat(4_194_304)),
    timestamp: EDGE_U64,
    nonce: EDGE_U64,
    payload: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  })
  .map(referenceEncode);

/** The same with one bit of any byte flipped, and the CRC right again or not. */
const damaged = fc
  .tuple(frames, fc.nat(32 * 8 - 1), fc.boolean())
  .map(([frame, bit, isStamped]) => {
    const bytes = frame.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    if (isStamped) new DataView(bytes.buffer).setUint32(28, referenceCrc32c(bytes, 28), true);
    return bytes;
  });

const datagrams = fc.oneof(frames, damaged, fc.uint8Array({ maxLength: 70 }));

function isGood(bytes: Uint8Array): boolean {
  return bytes.length === 32 && referenceDecode(bytes).error === undefined;
}

/** What the kernel shows to a filter: a UDP socket's sees a header first. */
function seen(bytes: Uint8Array, at: number): Uint8Array {
  const all = new Uint8Array(at + bytes.length).fill(0xa5);
  all.set(bytes, at);
  return all;
}

describe.each([0, 8])("the filters of 32-byte frames after %d bytes", (at) => {
  const [strict, plain] = frameFilters({ at, sample: RUBBISH_SAMPLE, pidMin: PID_MIN });

  test("the strict one passes exactly what decodes", () => {
    const property = fc.property(datagrams, (bytes) => {
      const kept = runClassicBpf(strict!, seen(bytes, at), UNPICKED);
      expect(kept).toBe(isGood(bytes) ? 0xffff_ffff : 0);
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("the plain one passes everything that decodes, and no other size, magic or version", () => {
    const property = fc.property(datagrams, (bytes) => {
      const kept = runClassicBpf(plain!, seen(bytes, at), UNPICKED);
      if (isGood(bytes)) expect(kept).toBe(0xffff_ffff);
      const isOurs =
        bytes.length === 32 && bytes[0] === 0x56 && bytes[1] === 0x41 && bytes[2] === 2;
      expect(kept > 0).toBe(isOurs);
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("both pass everything whole that the random word picks", () => {
    const property = fc.property(datagrams, (bytes) => {
      for (const program of [strict!, plain!])
        expect(runClassicBpf(program, seen(bytes, at), PICKED)).toBe(0xffff_ffff);
    });
    fc.assert(property, { numRuns: 50 });
  });

  test("both fit into the kernel's limits", () => {
    for (const program of [strict!, plain!]) {
      expect(program.length).toBeLessThanOrEqual(BPF_MAXINSNS);
      for (const { code, jt, jf } of program) {
        // A conditional jump holds a byte.
        if ((code & 0x07) === 0x05 && code !== 0x05) expect(Math.max(jt, jf)).toBeLessThan(256);
      }
    }
  });
});

test("the strict filter of a socket for containers passes pid 1, and not pid 0", () => {
  const [strict] = frameFilters({ at: 0, sample: RUBBISH_SAMPLE, pidMin: PID_INIT });
  const kept = [0, 1, 2].map((pid) => {
    const frame = { status: 0, pid, timestamp: 1n, nonce: 1n, payload: 0 };
    return runClassicBpf(strict!, referenceEncode(frame), UNPICKED) > 0;
  });
  expect(kept).toEqual([false, true, true]);
});

describe("the sample", () => {
  test.each([RUBBISH_SAMPLE, RUBBISH_SAMPLE_RARE])("is one in %d by the random word", (sample) => {
    const [strict] = frameFilters({ at: 0, sample, pidMin: PID_MIN });
    let passed = 0;
    for (let random = 0; random < 3 * RUBBISH_SAMPLE_RARE; random++)
      if (runClassicBpf(strict!, new Uint8Array(31), random) > 0) passed++;
    expect(passed).toBe((3 * RUBBISH_SAMPLE_RARE) / sample);
  });
});

describe("the filter of sealed frames", () => {
  test("passes 60 and 64 bytes, whatever they hold, and no other size", () => {
    const [program] = sealedFilters(8, RUBBISH_SAMPLE);
    for (let size = 0; size <= 80; size++) {
      const bytes = seen(crypto.getRandomValues(new Uint8Array(size)), 8);
      const isSealed = size === 60 || size === 64;
      expect([size, runClassicBpf(program!, bytes, UNPICKED) > 0]).toEqual([size, isSealed]);
    }
  });
});

describe.each([0, 8])("the filters of a listener that takes hellos, after %d bytes", (at) => {
  const options = { at, sample: RUBBISH_SAMPLE, pidMin: PID_MIN };
  const programs = frameFilters({ ...options, takesControl: true });
  const without = frameFilters(options);
  const controls = fc
    .record({
      kind: fc.constantFrom(0, 1, 1, 2, 2, 3, 255),
      pid: fc.nat(),
      nonce: U64,
      intervalMs: fc.nat(),
      name: fc.constantFrom("", "web-1", "a/b"),
    })
    .map(referenceControlBytes);
  const headless = fc.tuple(controls, fc.nat(3), fc.nat(255)).map(([bytes, where, byte]) => {
    bytes[where] = byte;
    return bytes;
  });
  const kept = (program: (typeof programs)[number], bytes: Uint8Array) =>
    runClassicBpf(program, seen(bytes, at), UNPICKED);

  test("pass every hello and bye, and nothing else of that size", () => {
    const others = fc.uint8Array({ minLength: 60, maxLength: 68 });
    const property = fc.property(fc.oneof(controls, headless, others), (bytes) => {
      const isControl =
        bytes.length === 64 && [1, 2].some((kind) => isPrefix([0x56, 0x43, 1, kind], bytes));
      for (const program of programs) {
        const wanted = isControl ? 0xffff_ffff : 0;
        expect(kept(program, bytes)).toBe(wanted);
        if (referenceControlIsGood(bytes)) expect(wanted).not.toBe(0);
      }
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("do with everything else what they did without", () => {
    const property = fc.property(datagrams, (bytes) => {
      if (bytes.length === 64) return;
      programs.forEach((program, i) => {
        expect(kept(program, bytes)).toBe(kept(without[i]!, bytes));
      });
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("fit into the kernel's bound, for containers, too", () => {
    for (const pidMin of [PID_MIN, PID_INIT])
      for (const program of frameFilters({ ...options, pidMin, takesControl: true }))
        expect(program.length).toBeLessThanOrEqual(BPF_MAXINSNS);
  });
});

function isPrefix(prefix: readonly number[], bytes: Uint8Array): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}

function referenceControlIsGood(bytes: Uint8Array): boolean {
  return bytes.length === 64 && referenceControlDatagram(bytes).error === undefined;
}
