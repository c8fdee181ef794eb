import { expect, test } from "bun:test";
import {
  canonicalAddress,
  isLoopbackAddress,
  listenText,
  parseListen,
} from "../../../src/config/keys/address.ts";

test("parseListen() reads IPv4, bracketed IPv6 and unix addresses", () => {
  expect(parseListen("127.0.0.1:9469")).toEqual({ kind: "tcp", host: "127.0.0.1", port: 9469 });
  expect(parseListen("[::1]:0")).toEqual({ kind: "tcp", host: "::1", port: 0 });
  expect(parseListen("unix:/run/m.sock")).toEqual({ kind: "unix", path: "/run/m.sock" });
});

test("parseListen() refuses everything else", () => {
  const texts = ["", "9469", ":9469", "::1:9469", "[127.0.0.1]:1", "1.2.3.4", "1.2.3.4:65536"];
  texts.push(
    "1.2.3:5",
    "localhost:1",
    "unix:",
    "unix:m.sock",
    `unix:/${"x".repeat(107)}`,
    "unix:/a\0",
  );
  for (const text of texts) expect(parseListen(text)).toBeUndefined();
});

test("listenText() is the inverse of parseListen()", () => {
  for (const text of ["127.0.0.1:9469", "[::1]:0", "unix:/run/m.sock"]) {
    expect(listenText(parseListen(text)!)).toBe(text);
  }
});

test("isLoopbackAddress() knows 127.0.0.0/8, ::1 and mapped addresses", () => {
  for (const address of ["127.0.0.1", "127.255.0.9", "::1", "0:0::1", "::ffff:127.0.0.1"]) {
    expect(isLoopbackAddress(address)).toBe(true);
  }
  for (const address of ["0.0.0.0", "128.0.0.1", "::", "::2", "fe80::1", "::ffff:192.0.2.1"]) {
    expect(isLoopbackAddress(address)).toBe(false);
  }
});

test("canonicalAddress() has one spelling per address", () => {
  expect(canonicalAddress("0:0:0:0:0:0:0:1")).toBe("::1");
  expect(canonicalAddress("FE80::1")).toBe("fe80::1");
  expect(canonicalAddress("192.0.2.1")).toBe("192.0.2.1");
});
