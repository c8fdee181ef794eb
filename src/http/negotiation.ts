// Which form of the page a scraper asked for (spec 13 section 4). Both headers are lists of words
// with a quality; unknown words are skipped, so a strange header gets the plain text
// page.

export type PageFormat = "text" | "openmetrics";

/** OpenMetrics if it is wanted at least as much as plain text; else text. */
export function negotiateFormat(accept: string | null): PageFormat {
  let openMetrics = 0;
  let text = 0;
  for (const { word, parameters, quality } of parseList(accept)) {
    if (word === "application/openmetrics-text") {
      const version = parameters.get("version");
      const known = version === undefined || version === "1.0.0" || version === "0.0.1";
      if (known) openMetrics = Math.max(openMetrics, quality);
    } else if (word === "text/plain") {
      text = Math.max(text, quality);
    }
  }
  return openMetrics > 0 && openMetrics >= text ? "openmetrics" : "text";
}

/** True if gzip is named with a quality above 0, or everything is allowed and gzip is not named. */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  let gzip = -1;
  let any = 0;
  for (const { word, quality } of parseList(acceptEncoding)) {
    if (word === "gzip" || word === "x-gzip") gzip = Math.max(gzip, quality);
    else if (word === "*") any = quality;
  }
  return gzip >= 0 ? gzip > 0 : any > 0;
}

interface Choice {
  readonly word: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

function parseList(header: string | null): Choice[] {
  if (header === null) return [];
  return header.split(",").map((item) => {
    const [word = "", ...rest] = item.split(";").map((part) => part.trim().toLowerCase());
    const parameters = new Map(rest.map(parseParameter));
    const quality = Number(parameters.get("q") ?? "1");
    return { word, parameters, quality: quality >= 0 && quality <= 1 ? quality : 0 };
  });
}

function parseParameter(part: string): [string, string] {
  const [name = "", value = ""] = part.split("=", 2).map((side) => side.trim());
  return [name, value.replace(/^"(.*)"$/, "$1")];
}
