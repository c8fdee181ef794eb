// Text in the language of manual pages, mdoc(7): escapes, and the layout of the prose that comments
// and tables hold.

/** A source line of a page is at most this long: then a change of a word is a small difference. */
const LINE_BYTES_MAX = 78;

/**
 * Prose as text lines: each sentence begins a line of its own, and nothing in it is taken for a
 * macro.
 */
export function textLines(prose: string): string {
  const sentences = prose.trim().split(/(?<=[.!?]["')]*)\s+(?=["'(]?[A-Z0-9])/);
  return sentences
    .flatMap((sentence) => wrapped(sentence, LINE_BYTES_MAX))
    .map((line) => guarded(escaped(line)))
    .join("\n");
}

/** Lines as they are, in a typewriter font. */
export function literalBlock(lines: readonly string[]): string {
  const guardedLines = lines.map((line) => guarded(verbatim(line)));
  return [".Bd -literal -offset indent", ...guardedLines, ".Ed"].join("\n");
}

/** Indented lines of a comment: words and what they mean as a list, anything else as it is. */
export function definitions(lines: readonly string[]): string {
  const items: { term: string; meaning: string }[] = [];
  for (const line of lines) {
    const [, term, meaning] = /^(\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
    const last = items.at(-1);
    if (term !== undefined && meaning !== undefined) items.push({ term, meaning });
    else if (/^ {2}/.test(line) && last !== undefined) last.meaning += ` ${line.trim()}`;
    else return literalBlock(lines);
  }
  const rows = items.flatMap(({ term, meaning }) => [
    `.It Li ${argument(term)}`,
    textLines(meaning),
  ]);
  return [".Bl -tag -width Ds -offset indent", ...rows, ".El"].join("\n");
}

/** One argument of a macro. */
export function argument(text: string): string {
  const inner = verbatim(text).replaceAll('"', "\\(dq");
  return /[\s"]/.test(text) || text === "" ? `"${inner}"` : guardedWord(inner);
}

export function escaped(text: string): string {
  return text.replaceAll("\\", "\\e");
}

/** Escaped, and with dashes that can be copied into a shell. */
export function verbatim(text: string): string {
  return escaped(text).replaceAll("-", "\\-");
}

/** Words of `text` on lines of at most `bytesMax` each, as far as no word is longer. */
export function wrapped(text: string, bytesMax: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length === 0 || longer.length > bytesMax) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

// A word such as "Op" or "." alone would be a macro or a delimiter.
function guardedWord(word: string): string {
  return /^([A-Z][a-z]|[.,:;()[\]?!|]+)$/.test(word) ? `\\&${word}` : word;
}
