import { describe, expect, test } from "bun:test";
import {
  DECODE_BAD_CRC,
  DECODE_BAD_MAGIC,
  DECODE_BAD_NONCE,
  DECODE_BAD_PID,
  DECODE_BAD_STATUS,
  DECODE_BAD_TIMESTAMP,
  DECODE_BAD_VERSION,
  DECODE_ERROR_KINDS,
  DECODE_STALL_ON_WIRE,
  decodeErrorExportText,
  decodeErrorName,
  decodeErrorText,
} from "../../src/wire/decode_error.ts";

const MAX = 0xffff_ffff;

describe("decodeErrorName()", () => {
  test("follows the order of the metric labels", () => {
    const snake = (name: string) => name.replace(/(?<!^)[A-Z]/g, (c) => `_${c}`).toLowerCase();
    const names = DECODE_ERROR_KINDS.map((_, i) => decodeErrorName(i + 1));
    expect(names.map(snake)).toEqual([...DECODE_ERROR_KINDS]);
  });

  test("refuses a code that is no error", () => {
    expect(() => decodeErrorName(0)).toThrow("code must be in 1..8: current value is 0");
    expect(() => decodeErrorName(9)).toThrow(RangeError);
  });
});

describe("decodeErrorExportText()", () => {
  const table: [code: number, hi: number, lo: number, second: number, text: string][] = [
    [DECODE_BAD_MAGIC, 0, 0, 0, "BadMagic"],
    [DECODE_BAD_VERSION, 0, 0, 0, "BadVersion"],
    [DECODE_BAD_STATUS, 0, 4, 0, "BadStatus(0x04)"],
    [DECODE_BAD_STATUS, 0, 255, 0, "BadStatus(0xff)"],
    [DECODE_BAD_PID, 0, 1, 0, "BadPid(1)"],
    [DECODE_BAD_TIMESTAMP, MAX, MAX, 0, "BadTimestamp(0xffffffffffffffff)"],
    [DECODE_BAD_NONCE, MAX, MAX, 1, "BadNonce(0xffffffffffffffff,Degraded)"],
    [DECODE_STALL_ON_WIRE, 0, 0, 0, "StallOnWire"],
    [DECODE_BAD_CRC, 0x00ab, MAX, 0, "BadCrc(expected=0x000000ab,actual=0xffffffff)"],
  ];
  for (const [code, hi, lo, second, text] of table)
    test(`writes ${text}`, () => {
      expect(decodeErrorExportText(code, hi, lo, second)).toBe(text);
    });
});

describe("decodeErrorText()", () => {
  test("always starts with the protocol's name", () => {
    for (let code = 1; code <= 8; code++)
      expect(decodeErrorText(code, 0, 0, 0)).toStartWith("varta-vlp: ");
  });

  test("prints both CRC values, expected before actual", () => {
    expect(decodeErrorText(DECODE_BAD_CRC, 0x1a, 0xdeadbeef, 0)).toMatch(/0x0000001a.*0xdeadbeef/);
  });

  test("prints the byte, the number, the reserved value or the status name that was found", () => {
    expect(decodeErrorText(DECODE_BAD_STATUS, 0, 0x0a, 0)).toContain("0x0a");
    expect(decodeErrorText(DECODE_STALL_ON_WIRE, 0, 0, 0)).toContain("Stall");
    expect(decodeErrorText(DECODE_BAD_PID, 0, 1, 0)).toContain("pid 1 ");
    expect(decodeErrorText(DECODE_BAD_TIMESTAMP, MAX, MAX, 0)).toContain("0xffffffffffffffff");
    expect(decodeErrorText(DECODE_BAD_NONCE, MAX, MAX, 0)).toContain("Ok");
    expect(decodeErrorText(DECODE_BAD_NONCE, MAX, MAX, 1)).toContain("Degraded");
  });
});
