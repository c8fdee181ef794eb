// Text in the cells of a terminal: how wide it is, how it is cut, folded and filled up. Nothing
// here has colours yet, so a width is that of what is seen.
import { escapedCode, escapeUnprintable } from "../../base/unprintable.ts";

// What terminals do not agree about, so that no table could hold it: signs that are put over the
// one before them.
const MARK = /[\p{Mn}\p{Me}\p{Cs}\p{Co}\p{Cn}]/gu;
const SPACE = /[\p{Zs}]/gu;
/** Ends of a name that say most are both kept. */
const CUT = "…";
const ASCII_CUT = "..";

/** A view whose texts of others hold nothing that a terminal would obey, or count differently. */
export function printable<View>(view: View): View {
  if (typeof view === "string") return printableText(view) as View;
  if (Array.isArray(view)) return view.map(printable) as View;
  if (typeof view !== "object" || view === null) return view;
  return Object.fromEntries(
    Object.entries(view).map(([key, value]) => [key, printable(value)]),
  ) as View;
}

export function printableText(text: string): string {
  return escapeUnprintable(text).replace(MARK, escapedCode);
}

/** A cell that a script may split at spaces. */
export function plainCell(text: string): string {
  return text === "" ? "-" : printableText(text).replace(SPACE, escapedCode);
}

export function widthOf(text: string): number {
  return Bun.stringWidth(text);
}

/** Filled up on the right. */
export function left(text: string, cells: number): string {
  return text + " ".repeat(Math.max(0, cells - widthOf(text)));
}

/** Filled up on the left. */
export function right(text: string, cells: number): string {
  return " ".repeat(Math.max(0, cells - widthOf(text))) + text;
}

/** At most `cells` wide, cut in the middle: both ends of a name tell something. */
export function cutMiddle(text: string, cells: number, ascii: boolean): string {
  if (widthOf(text) <= cells) return text;
  const mark = ascii ? ASCII_CUT : CUT;
  const room = cells - mark.length;
  if (room < 2) return startOf(text, cells);
  const head = startOf(text, Math.ceil(room / 2));
  return head + mark + endOf(text, room - widthOf(head));
}

/** At most `cells` wide, cut at the end. */
export function cutEnd(text: string, cells: number, ascii: boolean): string {
  if (widthOf(text) <= cells) return text;
  const mark = ascii ? ASCII_CUT : CUT;
  return cells <= mark.length
    ? startOf(text, cells)
    : startOf(text, cells - mark.length).trimEnd() + mark;
}

function startOf(text: string, cells: number): string {
  let [start, used] = ["", 0];
  for (const character of text) {
    used += widthOf(character);
    if (used > cells) break;
    start += character;
  }
  return start;
}

function endOf(text: string, cells: number): string {
  let [end, used] = ["", 0];
  for (const character of [...text].reverse()) {
    used += widthOf(character);
    if (used > cells) break;
    end = character + end;
  }
  return end;
}

/**
 * Lines of `text`, each within a terminal of `width`, folded at words; the later ones begin with
 * `indent` spaces. Of what has to be folded the last cell stays empty: some terminals wrap there.
 */
export function foldLines(text: string, width: number, indent: number): string[] {
  if (widthOf(text) <= width) return [text];
  const cells = Math.max(1, width - 1);
  const hang = " ".repeat(Math.min(indent, cells - 1));
  const lines: string[] = [];
  let line = "";
  let isEmpty = true;
  // Spaces at the begin and between columns stay as they are.
  for (const [piece, gap, word] of pieces(text)) {
    if (widthOf(line + piece) <= cells) {
      line += piece;
    } else {
      if (!isEmpty) lines.push(line);
      line = isEmpty ? gap : hang;
      for (const part of split(word, cells - widthOf(hang))) {
        if (widthOf(line + part) > cells) {
          lines.push(line);
          line = hang;
        }
        line += part;
      }
    }
    isEmpty = false;
  }
  return [...lines, line];
}

function* pieces(text: string): Generator<readonly [piece: string, gap: string, word: string]> {
  for (const match of text.matchAll(/( *)([^ ]+)/g)) yield [match[0], match[1]!, match[2]!];
}

/** A word in parts that each have room on a line. */
function split(word: string, cells: number): string[] {
  const parts: string[] = [];
  let rest = word;
  while (widthOf(rest) > cells) {
    // A sign of two cells in one cell: it is taken all the same, else there is no end.
    const part = startOf(rest, cells) || [...rest][0]!;
    parts.push(part);
    rest = rest.slice(part.length);
  }
  return [...parts, rest];
}

/** Each line with its end. */
export function linesText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
