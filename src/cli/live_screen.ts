// A screen that is drawn again and again in place (`status --watch`), on the other page of the
// terminal: what was there before is there again afterwards. A frame is one write, and terminals
// that can are told to show it as a whole, so nothing flickers.

const OPEN = "\x1b[?1049h\x1b[?25l";
const CLOSE = "\x1b[?25h\x1b[?1049l";
/** Others take no notice. */
const FRAME_BEGINS = "\x1b[?2026h";
const FRAME_ENDS = "\x1b[?2026l";
const HOME = "\x1b[H";
/** Before its text: behind a line that is full it would erase the last character. */
const ERASE_LINE = "\x1b[K";
const ERASE_REST = "\x1b[J";

export class LiveScreen {
  readonly #write: (text: string) => void;
  #isOpen = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** `text` are lines that fit in their width; those that the terminal has no row for are cut. */
  draw(text: string, rows: number): void {
    const open = this.#isOpen ? "" : OPEN;
    this.#isOpen = true;
    const lines = fitted(text.replace(/\n$/, "").split("\n"), rows);
    const painted = lines.map((line) => `${ERASE_LINE}${line}`).join("\n");
    const rest = lines.length < rows ? `\n${ERASE_REST}` : "";
    this.#write(`${open}${FRAME_BEGINS}${HOME}${painted}${rest}${FRAME_ENDS}`);
  }

  /** The terminal is as it was. */
  close(): void {
    if (this.#isOpen) this.#write(CLOSE);
    this.#isOpen = false;
  }
}

function fitted(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  const kept = Math.max(0, rows - 1);
  return [...lines.slice(0, kept), `  and ${lines.length - kept} more lines`].slice(0, rows);
}
