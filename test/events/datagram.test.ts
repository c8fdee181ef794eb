import { describe, expect, test } from "bun:test";
import { Datagram } from "../../src/events/datagram.ts";
import { encodeFrame } from "../../src/wire/encode.ts";
import { STATUS_CRITICAL } from "../../src/wire/frame.ts";

const ALL_ONES = 0xffff_ffff;

/** A datagram that holds the frame of a last beat at word 8. */
function lastBeat(): Datagram {
  const datagram = new Datagram();
  datagram.words = new Uint32Array(16);
  datagram.frameWord = 8;
  encodeFrame(datagram.words, 8, STATUS_CRITICAL, 4_242, 1, 2, ALL_ONES, ALL_ONES, 5);
  return datagram;
}

describe("Datagram", () => {
  test("reads all fields of the frame where it lies", () => {
    const datagram = lastBeat();
    datagram.readFrame();
    expect(datagram).toMatchObject({
      pid: 4_242,
      status: STATUS_CRITICAL,
      isTerminal: true,
      timestampHi: 1,
      timestampLo: 2,
      nonceHi: ALL_ONES,
      nonceLo: ALL_ONES,
      payload: 5,
    });
  });

  test("has the uid that the kernel attests, and none without the kernel's word", () => {
    const datagram = Object.assign(new Datagram(), { peerPid: 7, peerUid: 1_000 });
    expect(datagram.attestedUid).toBe(1_000);
    datagram.peerPid = 0;
    expect(datagram.attestedUid).toBe(Number.NaN);
  });

  test("forgets what was found out about the one before it", () => {
    const datagram = lastBeat();
    datagram.readFrame();
    const found = { slot: 3, namespaceInode: 42, generation: 7 };
    Object.assign(datagram, found, { identityWasRead: true, isProven: true });
    datagram.begin(9);
    const { pid, slot, namespaceInode, generation, identityWasRead, isProven } = new Datagram();
    expect(datagram).toMatchObject({ batchRow: 9, pid, slot, namespaceInode, generation });
    expect(datagram).toMatchObject({ identityWasRead, isProven });
  });
});
