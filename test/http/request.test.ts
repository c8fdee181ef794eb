// The strict reading of request heads, beside a slow twin that reads all bytes at once.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HTTP_HEADER_FIELDS_MAX } from "../../src/base/limits.ts";
import { HeadScanner, type HttpRequest, parseHead } from "../../src/http/request.ts";
import { referenceHeadLength } from "../reference/http_head.ts";

function parsed(...lines: string[]): HttpRequest {
  const result = parseHead(`${lines.join("\r\n")}\r\n\r\n`);
  if ("problem" in result) throw new Error(`${result.status} ${result.problem}`);
  return result;
}

function refused(...lines: string[]): number {
  const result = parseHead(`${lines.join("\r\n")}\r\n\r\n`);
  return "problem" in result ? result.status : 200;
}

describe("parseHead()", () => {
  test("reads what a scraper sends", () => {
    const request = parsed(
      "GET /metrics?x=1 HTTP/1.1",
      "Host: localhost:9469",
      "User-Agent: Prometheus/2.53.0",
      "ACCEPT: text/plain;version=0.0.4",
      "Accept: */*;q=0.1",
      "Accept-Encoding:gzip",
      "authorization: \t Bearer 00 \t",
    );
    expect(request).toEqual({
      method: "GET",
      path: "/metrics",
      query: "x=1",
      authority: "localhost:9469",
      bodyBytes: 0,
      keepAlive: true,
      minorVersion: 1,
      accept: "text/plain;version=0.0.4, */*;q=0.1",
      acceptEncoding: "gzip",
      authorization: "Bearer 00",
      lastEventId: undefined,
    });
    const again = parsed("GET /v1/events HTTP/1.1", "Host: x", "Last-Event-ID: 0a1b-7");
    expect(again).toMatchObject({ lastEventId: "0a1b-7" });
  });

  test.each([
    ["http://[::1]:9469/metrics#x", "/metrics", "[::1]:9469"],
    ["HTTP://elsewhere", "/", "elsewhere"],
    ["https://elsewhere?x=/y", "/", "elsewhere"],
    ["//metrics", "//metrics", "x"],
    ["/a//b?c", "/a//b", "x"],
    ["*", "*", "x"],
  ])("the target %s is the path %s at %s", (target, path, authority) => {
    expect(parsed(`GET ${target} HTTP/1.1`, "Host: x")).toMatchObject({ path, authority });
  });

  test.each([
    "GARBAGE",
    "GET /",
    "GET / HTTP/1.1 ",
    "GET  / HTTP/1.1",
    " GET / HTTP/1.1",
    "GET / http/1.1",
    "GET / HTTP/1.1x",
    "GET / HTTP/11",
    "GET /\u00e9 HTTP/1.1",
    "GET metrics HTTP/1.1",
    "GET x:80 HTTP/1.1",
    "GET http:///metrics HTTP/1.1",
    "GET http://a@b/metrics HTTP/1.1",
    "GET ftp://a/metrics HTTP/1.1",
    "G(T / HTTP/1.1",
  ])("400 for the request line %j", (line) => {
    expect(refused(line, "Host: x")).toBe(400);
  });

  test.each(["PRI * HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/3.0"])(
    "505 for %j",
    (line) => {
      expect(refused(line, "Host: x")).toBe(505);
    },
  );

  test.each([
    ["no host", []],
    ["two hosts", ["Host: x", "Host: x"]],
    ["two hosts in other letters", ["Host: x", "HOST: y"]],
    ["a list of hosts", ["Host: x, y"]],
    ["a host with a path", ["Host: x/y"]],
    ["a host with a user", ["Host: a@x"]],
    ["a host with a space", ["Host: x y"]],
    ["a space before the colon", ["Host : x"]],
    ["a space before the name", ["Host: x", " X: y"]],
    ["a line that goes on the one before", ["Host: x", "X: y", "\tz"]],
    ["no colon", ["Host: x", "X"]],
    ["no name", ["Host: x", ": y"]],
    ["a name with a slash", ["Host: x", "a/b: y"]],
    ["two lengths", ["Host: x", "Content-Length: 1", "Content-Length: 1"]],
    ["a list of lengths", ["Host: x", "Content-Length: 1, 1"]],
    ["a negative length", ["Host: x", "Content-Length: -5"]],
    ["a signed length", ["Host: x", "Content-Length: +5"]],
    ["a length in hexadecimal", ["Host: x", "Content-Length: 0x5"]],
    ["an empty length", ["Host: x", "Content-Length:"]],
    ["a length beyond all numbers", ["Host: x", "Content-Length: 1234567890123456"]],
    ["a length beside a coding", ["Host: x", "Content-Length: 0", "Transfer-Encoding: chunked"]],
    ["two authorizations", ["Host: x", "Authorization: a", "Authorization: b"]],
  ])("400 for %s", (_what, fields) => {
    expect(refused("GET / HTTP/1.1", ...fields)).toBe(400);
  });

  test("the body of a coded request has no known length", () => {
    expect(parsed("GET / HTTP/1.1", "Host: x", "Transfer-Encoding: identity").bodyBytes).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(parsed("GET / HTTP/1.1", "Host: x", "Content-Length: 0005").bodyBytes).toBe(5);
  });

  test("HTTP/1.0 needs no host", () => {
    expect(parsed("GET / HTTP/1.0").authority).toBeUndefined();
    expect(parsed("GET / HTTP/1.0", "Host: x").authority).toBe("x");
  });

  test(`${HTTP_HEADER_FIELDS_MAX} fields are read, one more is 431`, () => {
    const fields = Array.from({ length: HTTP_HEADER_FIELDS_MAX - 1 }, (_, i) => `X${i}: y`);
    expect(refused("GET / HTTP/1.1", "Host: x", ...fields)).toBe(200);
    expect(refused("GET / HTTP/1.1", "Host: x", ...fields, "Z: y")).toBe(431);
  });

  test("takes no longer for blanks than for letters", () => {
    const blanks = `X: a${" ".repeat(15_000)}a${"\t".repeat(1_000)}`;
    expect(refused("GET / HTTP/1.1", "Host: x", blanks)).toBe(200);
  });
});

describe("HeadScanner", () => {
  function scanned(pieces: readonly string[]): number | undefined {
    const bytes = Buffer.from(pieces.join(""), "latin1");
    const scanner = new HeadScanner();
    let size = 0;
    for (const piece of pieces) {
      size += piece.length;
      const found = scanner.scan(bytes, size);
      if (found === undefined) return undefined;
      if (found) return scanner.scanned;
    }
    return -1;
  }

  test("finds the same end as its twin, however the bytes are cut", () => {
    const bytes = fc.constantFrom(
      "a",
      "G",
      " ",
      "\t",
      "\r",
      "\n",
      "\r\n",
      "\r\n\r\n",
      "\0",
      "\x7f",
      "\xff",
    );
    const piece = fc.array(bytes, { maxLength: 6 }).map((parts) => parts.join(""));
    let wholes = 0;
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const wanted = referenceHeadLength(pieces.join(""));
        if (wanted !== undefined && wanted > 0) wholes++;
        expect(scanned(pieces)).toBe(wanted);
      }),
      { numRuns: 5_000 },
    );
    expect(wholes).toBeGreaterThan(100);
  });
});
