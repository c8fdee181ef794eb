// Heads of HTTP requests against the slow reader: valid ones, damaged ones, and ones with a second
// request after them, cut anywhere. Both must find the same end and read the same request, or
// refuse it for the same reason.
import { HTTP_HEADER_FIELDS_MAX } from "../../src/base/limits.ts";
import { HeadScanner, parseHead } from "../../src/http/request.ts";
import { referenceHead, referenceHeadLength } from "../reference/http_head.ts";
import type { Random } from "../simulation/random.ts";
import { damage } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const HEADS_PER_ROUND = 32;
const METHODS = ["GET", "HEAD", "POST", "OPTIONS", "G(T"];
const TARGETS = [
  ...["/metrics", "/metrics?x=/y", "/-/healthy", "//metrics", "/a#b?c", "*", "metrics", "x:80"],
  ...["http://localhost/metrics", "http://a@b/", "https://[::1]:9?x=/", "http:///", "ftp://a/"],
];
const VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1"];
const FIELDS = [
  ...["Host: localhost", "host: [::1]:9469", "Host: a/b", "Host : x", "Host:", "X-Long: a b\tc"],
  ...["Content-Length: 0", "Content-Length: 5", "Content-Length: +5", "Content-Length: 1, 1"],
  ...["Transfer-Encoding: chunked", "Connection: close", "Connection: Keep-Alive, x", ": no name"],
  ...["Authorization: Bearer 00", " folded: line", "no colon", "Accept: text/plain \t", "A:b:c"],
];

export class HttpTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();

  round(random: Random): void {
    for (let head = 0; head < HEADS_PER_ROUND; head++) this.#one(random);
  }

  [Symbol.dispose](): void {}

  #one(random: Random): void {
    const bytes = Uint8Array.from(Buffer.from(candidate(random), "latin1"));
    if (random.chance(0.3)) damage(random, bytes);
    const text = Buffer.from(bytes).toString("latin1");
    const shown = JSON.stringify(text);
    const found = scanned(bytes, random);
    const wanted = referenceHeadLength(text);
    same(`the length of the head of ${shown}`, found, wanted);
    if (wanted === undefined || wanted < 0) {
      count(this, wanted === undefined ? "no_head" : "more");
      return;
    }
    const head = text.slice(0, wanted);
    const request = parseHead(head);
    const status = "problem" in request ? request.status : 0;
    count(this, status === 0 ? "request" : `${status}`);
    const twin = referenceHead(head, HTTP_HEADER_FIELDS_MAX);
    same(`the status of ${shown}`, status, twin.status);
    if ("problem" in request) return;
    const { path, authority, bodyBytes, keepAlive } = request;
    same(`the request ${shown}`, { status, path, authority, bodyBytes, keepAlive }, twin);
  }
}

function candidate(random: Random): string {
  const any = (values: readonly string[]) =>
    random.chance(0.6) ? values[0]! : random.pick(values);
  const lines = [`${any(METHODS)} ${any(TARGETS)} ${any(VERSIONS)}`];
  if (random.chance(0.8)) lines.push("Host: localhost");
  for (let fields = random.below(3); fields > 0; fields--) lines.push(random.pick(FIELDS));
  const head = `${lines.join("\r\n")}\r\n\r\n`;
  return random.chance(0.3) ? `${head}GET / HTTP/1.1\r\nHost: x\r\n\r\n` : head;
}

/** As it comes from the kernel, in pieces of any size. */
function scanned(bytes: Uint8Array, random: Random): number | undefined {
  const scanner = new HeadScanner();
  let size = 0;
  while (size < bytes.length) {
    size = Math.min(bytes.length, size + 1 + random.below(random.chance(0.5) ? 4 : 200));
    const isWhole = scanner.scan(bytes, size);
    if (isWhole === undefined) return undefined;
    if (isWhole) return scanner.scanned;
  }
  return -1;
}
