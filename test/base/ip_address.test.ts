// IP literals as bytes.
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { interfaceNumber, parseIp } from "../../src/base/ip_address.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const hexOf = (text: string) => parseIp(text)?.bytes.toHex();

test("parseIp() reads IPv4 as four bytes", () => {
  expect(hexOf("127.0.0.1")).toBe("7f000001");
  expect(hexOf("0.0.0.0")).toBe("00000000");
  expect(hexOf("255.254.253.252")).toBe("fffefdfc");
});

test("parseIp() reads every way to write IPv6", () => {
  expect(hexOf("::")).toBe("00".repeat(16));
  expect(hexOf("::1")).toBe(`${"00".repeat(15)}01`);
  expect(hexOf("1::")).toBe(`0001${"00".repeat(14)}`);
  expect(hexOf("2001:db8::8a2e:370:7334")).toBe("20010db80000000000008a2e03707334");
  expect(hexOf("1:2:3:4:5:6:7:8")).toBe("00010002000300040005000600070008");
  expect(hexOf("FE80::ABCD")).toBe("fe80000000000000000000000000abcd");
  expect(hexOf("64:ff9b::192.0.2.33")).toBe("0064ff9b0000000000000000c0000221");
});

test("parseIp() takes an IPv4 address in IPv6 clothes as IPv4", () => {
  expect(hexOf("::ffff:127.0.0.1")).toBe("7f000001");
  expect(hexOf("::ffff:7f00:1")).toBe("7f000001");
  expect(hexOf("::fffe:7f00:1")).toBe(`${"00".repeat(10)}fffe7f000001`);
});

test("parseIp() keeps the interface of a link-local address", () => {
  expect(parseIp("fe80::1%eth0")).toMatchObject({ zone: "eth0" });
  expect(hexOf("fe80::1%eth0")).toBe(`fe80${"00".repeat(13)}01`);
  expect(parseIp("fe80::1")).toMatchObject({ zone: "" });
});

test("parseIp() knows no names and no broken literals", () => {
  for (const text of ["", "localhost", "127.0.0", "1.2.3.256", ":::", "1::2::3", "[::1]", "::1%"])
    expect(parseIp(text)).toBeUndefined();
});

test("parseIp() reads any IPv6 address in full and in the runtime's shortest spelling", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(15), (bytes, zeros) => {
      bytes.fill(0, 0, zeros);
      const groups = bytes.toHex().match(/.{4}/g)!;
      const short = new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
      const mapped = bytes.toHex().startsWith("00000000000000000000ffff");
      const expected = mapped ? bytes.toHex().slice(24) : bytes.toHex();
      expect(hexOf(groups.join(":"))).toBe(expected);
      expect(hexOf(short)).toBe(expected);
    }),
  );
});

test("interfaceNumber() knows interfaces by number and by name", () => {
  expect(interfaceNumber("7")).toBe(7);
  expect(interfaceNumber("nosuch0")).toBeUndefined();
});
