import { describe, expect, test } from "bun:test";
import { parseIp } from "../../src/base/ip_address.ts";
import { ipText } from "../../src/base/ip_text.ts";

/** The four words of an address literal. */
function wordsOf(literal: string): Uint32Array {
  const { bytes } = parseIp(literal)!;
  const all = new Uint8Array(16);
  if (bytes.length === 4) all.set([0xff, 0xff], 10);
  all.set(bytes, 16 - bytes.length);
  const view = new DataView(all.buffer);
  return Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at));
}

describe("ipText()", () => {
  test.each([
    "0.0.0.0",
    "127.0.0.3",
    "255.10.0.200",
    "::",
    "::1",
    "1::",
    "fe80::1",
    "2001:db8::1:0:0:1",
    "2001:0:0:1::1",
    "2001:db8:0:1:1:1:1:1",
    "1:2:3:4:5:6:7:8",
    "1::8",
    "0:1:2:3:4:5:6:0",
    "abcd:ef01:2345:6789:abcd:ef01:2345:6789",
  ])("writes %s as it is written", (literal) => {
    expect(ipText(wordsOf(literal), 0)).toBe(literal);
  });
});
