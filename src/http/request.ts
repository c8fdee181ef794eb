// The head of an HTTP/1 request, read strictly (RFC 9112): what two programs could understand
// differently is refused, so that no second request can hide in a first one. Pure
// functions over bytes and text; a head was bounded before it comes here.
import { HTTP_HEADER_FIELDS_MAX } from "../base/limits.ts";

export interface HttpRequest {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  /** What follows the "?", "" = nothing. */
  readonly query: string;
  /**
   * Whom the client thinks it talks to, as it wrote it; undefined = HTTP/1.0 without a Host field.
   */
  readonly authority: string | undefined;
  /** Length of the body that follows; +Infinity if the client does not say. */
  readonly bodyBytes: number;
  /** The client wants to send another request on this connection. */
  readonly keepAlive: boolean;
  /** 0 or 1. */
  readonly minorVersion: number;
  readonly accept: string | null;
  readonly acceptEncoding: string | null;
  readonly authorization: string | null;
  /** The last thing that it had of a stream. */
  readonly lastEventId: string | undefined;
}

/** Why a head is no request, as the answer says it. */
interface BadRequest {
  readonly status: 400 | 431 | 505;
  readonly problem: string;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DELETE = 0x7f;

/**
 * Reads bytes of a head as they come, each once: finds its end, and what cannot be a head (TLS,
 * NUL, a bare LF) at once instead of when the time for it is over.
 */
export class HeadScanner {
  /** Bytes read since `reset`. */
  scanned = 0;
  #lineBytes = 0;
  #isAfterCr = false;

  reset(): void {
    this.scanned = 0;
    this.#lineBytes = 0;
    this.#isAfterCr = false;
  }

  /**
   * Reads `bytes` from where it stopped up to `size`. True: `scanned` is the length of the head;
   * false: more must come; undefined: this cannot become a head.
   */
  scan(bytes: Uint8Array, size: number): boolean | undefined {
    let at = this.scanned;
    while (at < size) {
      const byte = bytes[at++]!;
      if (this.#isAfterCr) {
        if (byte !== LF) return this.#stop(at);
        this.#isAfterCr = false;
        if (this.#lineBytes === 0) {
          this.scanned = at;
          // An empty first line is no head.
          return at > 2 ? true : undefined;
        }
        this.#lineBytes = 0;
      } else if (byte === CR) this.#isAfterCr = true;
      else if ((byte < SPACE && byte !== TAB) || byte === DELETE) return this.#stop(at);
      else this.#lineBytes++;
    }
    this.scanned = at;
    return false;
  }

  #stop(at: number): undefined {
    this.scanned = at;
    return undefined;
  }
}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/([0-9])\.([0-9])$/;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** A host or an IP literal in brackets, and a port: no path, no user. */
const AUTHORITY = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/;

/** `head` is what HeadScanner found, as Latin-1 text. */
export function parseHead(head: string): HttpRequest | BadRequest {
  const lines = head.slice(0, -4).split("\r\n");
  const line = REQUEST_LINE.exec(lines[0]!);
  if (line === null) return bad("no HTTP request line");
  const [, method, target, major, minor] = line as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  if (major !== "1" || Number(minor) > 1)
    return { status: 505, problem: "HTTP/1.0 or HTTP/1.1 is wanted" };
  if (lines.length - 1 > HTTP_HEADER_FIELDS_MAX)
    return { status: 431, problem: "too many header fields" };
  const parsed = parseFields(lines);
  if ("problem" in parsed) return parsed;
  return assemble({ method, target, minorVersion: Number(minor), fields: parsed.fields });
}

type Fields = ReadonlyMap<string, string>;

/** Fields that mean something else when they come twice; others are lists, or are not read. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set(["host", "content-length", "authorization"]);

function parseFields(lines: readonly string[]): { fields: Fields } | BadRequest {
  const fields = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon));
    // A name that ends in a space, or a line that begins with one, which goes on the line before,
    // is refused here.
    if (!FIELD_NAME.test(name)) return bad("a header line has no field name");
    const key = name.toLowerCase();
    const before = fields.get(key);
    if (before !== undefined && SINGLE_FIELDS.has(key)) return bad(`two ${key} fields`);
    const value = trimmed(line, colon + 1);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return { fields };
}

/** Without spaces and tabs at its ends. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

interface HeadParts {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly fields: Fields;
}

function assemble({ method, target, minorVersion, fields }: HeadParts): HttpRequest | BadRequest {
  const host = fields.get("host");
  if (host === undefined && minorVersion === 1) return bad("no host field");
  if (host !== undefined && !AUTHORITY.test(host)) return bad("the host field is no host");
  const body = bodyBytes(fields);
  if (body === undefined) return bad("the length of the body is not clear");
  const place = splitTarget(target);
  if (place === undefined) return bad("the request target is no path");
  return {
    method,
    path: place.path,
    query: queryOf(target),
    // The target's own authority takes the place of the field (RFC 9112 section 3.2.2).
    authority: place.authority ?? host,
    bodyBytes: body,
    keepAlive: wantsMore(fields.get("connection"), minorVersion),
    minorVersion,
    accept: fields.get("accept") ?? null,
    acceptEncoding: fields.get("accept-encoding") ?? null,
    authorization: fields.get("authorization") ?? null,
    lastEventId: fields.get("last-event-id"),
  };
}

// Content-Length beside Transfer-Encoding is how requests are smuggled; a body of unknown length
// has no bound.
function bodyBytes(fields: Fields): number | undefined {
  const length = fields.get("content-length");
  const isCoded = fields.has("transfer-encoding");
  if (length === undefined) return isCoded ? Number.POSITIVE_INFINITY : 0;
  return !isCoded && /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
}

function splitTarget(target: string): { path: string; authority?: string } | undefined {
  if (target.startsWith("/")) return { path: pathOf(target) };
  // OPTIONS asks about the server itself so; the method is refused later.
  if (target === "*") return { path: target };
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
  if (absolute === null) return undefined;
  const [, authority, rest] = absolute as unknown as [string, string, string];
  if (authority === "" || !AUTHORITY.test(authority)) return undefined;
  return { authority, path: rest.startsWith("/") ? pathOf(rest) : "/" };
}

function pathOf(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}

function queryOf(target: string): string {
  const begin = target.indexOf("?");
  return begin < 0 ? "" : target.slice(begin + 1).replace(/#.*/, "");
}

function wantsMore(connection: string | undefined, minorVersion: number): boolean {
  const words = (connection ?? "").split(",").map((word) => word.trim().toLowerCase());
  if (words.includes("close")) return false;
  return minorVersion === 1 || words.includes("keep-alive");
}

function bad(problem: string): BadRequest {
  return { status: 400, problem };
}
