import { describe, expect, test } from "bun:test";
import { u64Hi, u64Lo } from "../../src/base/u64.ts";
import {
  NONCE_ADVANCES,
  NONCE_REFUSED,
  NONCE_WRAPS,
  nonceOrder,
} from "../../src/tracker/nonce_order.ts";
import { MAX, W } from "./harness.ts";

function order(last: bigint, next: bigint): number {
  return nonceOrder(u64Hi(last), u64Lo(last), u64Hi(next), u64Lo(next));
}

describe("nonceOrder()", () => {
  const table: [last: bigint, next: bigint, wanted: number][] = [
    [0n, 1n, NONCE_ADVANCES],
    [1n, 1n, NONCE_REFUSED],
    [2n, 1n, NONCE_REFUSED],
    [0xffff_ffffn, 0x1_0000_0000n, NONCE_ADVANCES],
    [0x1_0000_0000n, 0xffff_ffffn, NONCE_REFUSED],
    [0x1_0000_0001n, 0x1_0000_0000n, NONCE_REFUSED],
    [0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, NONCE_ADVANCES],
    // The top edge is inclusive, the bottom edge is not.
    [MAX - 1n, 0n, NONCE_WRAPS],
    [MAX - W, 0n, NONCE_WRAPS],
    [MAX - W - 1n, 0n, NONCE_REFUSED],
    [MAX - 1n, W - 1n, NONCE_WRAPS],
    [MAX - 1n, W, NONCE_REFUSED],
    [MAX - 1n, 0x1_0000_0000n, NONCE_REFUSED],
    [0xffff_ffffn, 0n, NONCE_REFUSED],
  ];
  for (const [last, next, wanted] of table)
    test(`gives ${["a refusal", "an advance", "a wrap"][wanted]} for 0x${next.toString(16)} after 0x${last.toString(16)}`, () => {
      expect(order(last, next)).toBe(wanted);
    });
});
