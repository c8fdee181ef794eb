// The head of an HTTP/1 request, slow and obvious: the whole text at once, a rule a line
// (RFC 9112).

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const HOST = /^([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$/;

/**
 * Length of the head at the start of `text`; -1 = more must come; undefined = it cannot become one.
 */
export function referenceHeadLength(text: string): number | undefined {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isCr = code === 13;
    const isLf = code === 10;
    if (isLf !== (at > 0 && text[at - 1] === "\r")) return undefined;
    if (!isCr && !isLf && code !== 9 && (code < 32 || code === 127)) return undefined;
    if (at === 1 && text.startsWith("\r\n")) return undefined;
    if (text.slice(0, at + 1).endsWith("\r\n\r\n")) return at + 1;
  }
  return -1;
}

export interface ReferenceHead {
  /** 0 = it is a request. */
  readonly status: number;
  readonly path?: string;
  readonly authority?: string | undefined;
  readonly bodyBytes?: number;
  readonly keepAlive?: boolean;
}

/** `head` is what referenceHeadLength() found. */
export function referenceHead(head: string, fieldsMax: number): ReferenceHead {
  const [first = "", ...lines] = head.slice(0, -4).split("\r\n");
  const words = first.split(" ");
  const [method = "", target = "", version = ""] = words;
  if (words.length !== 3 || !TOKEN.test(method) || target === "") return { status: 400 };
  if ([...target].some((letter) => letter < "!" || letter > "~")) return { status: 400 };
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) return { status: 400 };
  if (version !== "HTTP/1.0" && version !== "HTTP/1.1") return { status: 505 };
  if (lines.length > fieldsMax) return { status: 431 };
  const fields = lines.map((line) => {
    const [name = "", ...rest] = line.split(":");
    return {
      name,
      value: rest.join(":").replace(/^[ \t]+|[ \t]+$/g, ""),
      hasColon: rest.length > 0,
    };
  });
  if (fields.some(({ name, hasColon }) => !hasColon || !TOKEN.test(name))) return { status: 400 };
  const valuesOf = (wanted: string) =>
    fields.filter(({ name }) => name.toLowerCase() === wanted).map(({ value }) => value);
  const singles = ["host", "content-length", "authorization"].map(valuesOf);
  if (singles.some(({ length }) => length > 1)) return { status: 400 };
  const [host] = singles[0]!;
  const [length] = singles[1]!;
  if (host === undefined ? version === "HTTP/1.1" : !HOST.test(host)) return { status: 400 };
  const isCoded = valuesOf("transfer-encoding").length > 0;
  if (length !== undefined && (isCoded || !/^[0-9]{1,15}$/.test(length))) return { status: 400 };
  const place = placeOf(target);
  if (place === undefined) return { status: 400 };
  const connection = valuesOf("connection").flatMap((value) =>
    value.split(",").map((word) => word.trim().toLowerCase()),
  );
  const wantsMore = version === "HTTP/1.1" || connection.includes("keep-alive");
  return {
    status: 0,
    path: place.path,
    authority: place.authority ?? host,
    bodyBytes: isCoded ? Number.POSITIVE_INFINITY : Number(length ?? 0),
    keepAlive: wantsMore && !connection.includes("close"),
  };
}

function placeOf(target: string): { path: string; authority?: string } | undefined {
  if (target === "*") return { path: "*" };
  const withoutQuery = (text: string) => text.split("?")[0]!.split("#")[0]!;
  if (target.startsWith("/")) return { path: withoutQuery(target) };
  const [scheme = "", rest] = [
    target.slice(0, target.indexOf("://")).toLowerCase(),
    target.slice(target.indexOf("://") + 3),
  ];
  if (!target.includes("://") || !["http", "https"].includes(scheme)) return undefined;
  const end = [...rest].findIndex((letter) => "/?#".includes(letter));
  const authority = end < 0 ? rest : rest.slice(0, end);
  if (authority === "" || !HOST.test(authority)) return undefined;
  const path = end < 0 ? "" : withoutQuery(rest.slice(end));
  return { authority, path: path === "" ? "/" : path };
}
