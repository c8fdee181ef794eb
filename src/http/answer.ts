// The answers of the HTTP server and their bytes (spec 13 section 3). Every answer says its type,
// its length, which HEAD gets too, and `no-store`; a stream has no length and ends its connection.
import type { Pieces } from "../base/pieces.ts";

/** What a client gets. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly fields: Fields;
  /** Must not change until `sent`. */
  readonly body: Uint8Array;
  /** What comes instead of a body: nobody knows how long it will be. */
  readonly stream?: Pieces;
  /** The body was sent, or is not wanted any more. */
  readonly sent?: () => void;
}

/** A request that waits for its answer. */
export interface Exchange {
  readonly address: string | undefined;
  /** Once; ignored if the client is gone. */
  answer(answer: Answer): void;
  /** There is more of a stream that had no piece. */
  wake(): void;
}

type Fields = Readonly<Record<string, string>>;

const TEXT = "text/plain; charset=utf-8";
const NOTHING = new Uint8Array(0);

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  421: "Misdirected Request",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** A page that is not ready is none. */
export function isRefusal({ status }: Answer): boolean {
  return status >= 400 && status !== 503;
}

/** Nothing can follow it on its connection. */
export function endsConnection(answer: Answer): boolean {
  return answer.stream !== undefined || isRefusal(answer);
}

/** One short line of text. */
export function textAnswer(status: number, text: string, fields: Fields = {}): Answer {
  return { status, contentType: TEXT, fields, body: Buffer.from(`${text}\n`) };
}

/** No body at all: 401 and 405. */
export function emptyAnswer(status: number, fields: Fields): Answer {
  return { status, contentType: TEXT, fields, body: NOTHING };
}

export function landingPage(version: string): Answer {
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>varta-watch</title></head>
<body>
<h1>varta-watch</h1>
<p>Health observer for processes, version ${escapeHtml(version)}.</p>
<ul>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/-/healthy">Healthy</a></li>
<li><a href="/-/ready">Ready</a></li>
</ul>
</body>
</html>
`;
  return {
    status: 200,
    contentType: "text/html; charset=utf-8",
    fields: {},
    body: Buffer.from(html),
  };
}

/**
 * The bytes before the body. `connection` is the field's value; undefined leaves it out, as
 * HTTP/1.1 goes on by itself.
 */
export function headBytes(
  answer: Answer,
  wallMs: number,
  connection: string | undefined,
): Uint8Array {
  const { status, contentType, fields, body, stream } = answer;
  let head = `HTTP/1.1 ${status} ${REASONS[status]}\r\nContent-Type: ${contentType}\r\n`;
  for (const [name, value] of Object.entries(fields)) head += `${name}: ${value}\r\n`;
  head += "Cache-Control: no-store\r\n";
  if (stream === undefined) head += `Content-Length: ${body.length}\r\n`;
  head += `Date: ${new Date(wallMs).toUTCString()}\r\n`;
  if (connection !== undefined) head += `Connection: ${connection}\r\n`;
  return Buffer.from(`${head}\r\n`, "latin1");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
