// The answers of the HTTP server that are not a metrics page (spec 13 section 3). Every response says its type and
// `no-store`; the runtime adds the length, also to the answer of HEAD.

const TEXT = "text/plain; charset=utf-8";

/** One short line of text. */
export function textResponse(status: number, text: string, extra: Headers = {}): Response {
  return new Response(`${text}\n`, { status, headers: headersOf(TEXT, extra) });
}

/** No body at all: 401 and 405. */
export function emptyResponse(status: number, extra: Headers): Response {
  return new Response(null, {
    status,
    headers: headersOf(TEXT, { ...extra, "content-length": "0" }),
  });
}

/** Copies `body`. */
export function pageResponse(
  body: Uint8Array<ArrayBuffer>,
  contentType: string,
  extra: Headers,
): Response {
  return new Response(body, { headers: headersOf(contentType, extra) });
}

export function landingPage(version: string): Response {
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
  return new Response(html, { headers: headersOf("text/html; charset=utf-8", {}) });
}

type Headers = Readonly<Record<string, string>>;

function headersOf(contentType: string, extra: Headers): Record<string, string> {
  return { "content-type": contentType, "cache-control": "no-store", ...extra };
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
