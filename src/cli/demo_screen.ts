// Draws the demonstration: lines of a story that scroll, and under them one live row per agent that
// is drawn in place. Without a terminal only the story is printed, and without colours where they
// are not wanted.

export interface AgentRow {
  readonly name: string;
  readonly pid: number;
  /** One mark per step of time, oldest first. */
  readonly marks: readonly Mark[];
  readonly state: string;
}

export type Mark = "beat" | "silent" | "stall" | "back";
type Tone = "plain" | "good" | "bad" | "act" | "dim";

const SGR: Readonly<Record<Tone, string>> = {
  plain: "0",
  good: "32",
  bad: "1;31",
  act: "33",
  dim: "2",
};
const GLYPHS: Readonly<Record<Mark, { readonly glyph: string; readonly tone: Tone }>> = {
  beat: { glyph: "▪", tone: "good" },
  silent: { glyph: "·", tone: "dim" },
  stall: { glyph: "✗", tone: "bad" },
  back: { glyph: "✓", tone: "good" },
};
const MARKS_SHOWN = 48;

export class DemoScreen {
  readonly #live: boolean;
  readonly #colour: boolean;
  readonly #write: (text: string) => void;
  #rowsDrawn = 0;

  /** `live`: stdout is a terminal that can move its cursor. */
  constructor(options: { live: boolean; colour: boolean; write: (text: string) => void }) {
    this.#live = options.live;
    this.#colour = options.colour;
    this.#write = options.write;
  }

  /** One line of the story, above the rows. */
  say(text: string): void {
    this.#write(`${this.#erase()}${text}\n`);
  }

  /** A line with a time, a word that names the event, and what happened. */
  tell(atMs: number, word: string, tone: Tone, text: string): void {
    const time = `${(atMs / 1000).toFixed(2).padStart(6)} s`;
    this.say(`${this.paint("dim", time)}  ${this.paint(tone, word.padEnd(8))}  ${text}`);
  }

  /** Draws the rows in place; nothing where they could not be. */
  draw(rows: readonly AgentRow[]): void {
    if (!this.#live || rows.length === 0) return;
    const lines = rows.map((row) => this.#row(row));
    this.#write(`${this.#erase()}\n${lines.join("\n")}\n`);
    this.#rowsDrawn = lines.length + 1;
  }

  /** Leaves the rows where they are; what comes next stands below them. */
  keep(): void {
    this.#rowsDrawn = 0;
  }

  paint(tone: Tone, text: string): string {
    return this.#colour && tone !== "plain" ? `\x1b[${SGR[tone]}m${text}\x1b[0m` : text;
  }

  #row({ name, pid, marks, state }: AgentRow): string {
    const shown = marks.slice(-MARKS_SHOWN);
    const track = shown.map((mark) => this.paint(GLYPHS[mark].tone, GLYPHS[mark].glyph)).join("");
    const gap = " ".repeat(MARKS_SHOWN - shown.length);
    return `  ${name.padEnd(8)} ${this.paint("dim", `pid ${pid}`.padEnd(11))} ${track}${gap}  ${state}`;
  }

  #erase(): string {
    if (this.#rowsDrawn === 0) return "";
    const up = `\x1b[${this.#rowsDrawn}A\x1b[J`;
    this.#rowsDrawn = 0;
    return up;
  }
}
