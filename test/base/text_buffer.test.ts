import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { TextBuffer } from "../../src/base/text_buffer.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

function written(write: (text: TextBuffer) => void): string {
  const text = new TextBuffer(1);
  write(text);
  return new TextDecoder().decode(text.view());
}

describe("TextBuffer", () => {
  test("decimal() writes what String() writes, at every change of digit count", () => {
    const values = [0, 9, 10, 99, 999_999_999, 1_000_000_000, 4_294_967_295, 9_007_199_254_740_991];
    for (const value of values) expect(written((text) => text.decimal(value))).toBe(String(value));
  });

  test("decimal() equals String() for any safe integer", () => {
    const integer = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(integer, (value) => written((text) => text.decimal(value)) === String(value)),
    );
  });

  test("decimalU64() writes all 64 bits", () => {
    const all = written((text) => text.decimalU64(0xffff_ffff, 0xffff_ffff));
    expect(all).toBe("18446744073709551615");
    expect(written((text) => text.decimalU64(0x1f_ffff, 0xffff_ffff))).toBe("9007199254740991");
    expect(written((text) => text.decimalU64(0x20_0000, 0))).toBe("9007199254740992");
  });

  test("fixed() writes exactly the wanted digits", () => {
    expect(written((text) => text.fixed(0, 9))).toBe("0.000000000");
    expect(written((text) => text.fixed(1_500, 3))).toBe("1.500");
    expect(written((text) => text.fixed(1_000_000_001, 9))).toBe("1.000000001");
    expect(written((text) => text.fixed(1_795_161_916_267, 3))).toBe("1795161916.267");
  });

  test("decimal() refuses what is no counter", () => {
    for (const value of [-1, Number.NaN, 2 ** 53]) {
      expect(() => written((text) => text.decimal(value))).toThrow("0..2^53-1");
    }
  });

  test("it grows, and clear() starts again", () => {
    const text = new TextBuffer(1);
    text.ascii("abc".repeat(100));
    text.utf8("ä€");
    text.copy(Uint8Array.of(0x21));
    expect(new TextDecoder().decode(text.view())).toBe(`${"abc".repeat(100)}ä€!`);
    text.clear();
    text.byte(0x7a);
    expect(new TextDecoder().decode(text.view())).toBe("z");
  });
});
