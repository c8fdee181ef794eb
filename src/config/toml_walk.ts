// A walk over TOML text that the parser accepts, or over the part before the place where it
// stopped: where each key and header stands, and which spellings are of TOML 1.1 only. The parser
// says neither: it forgets positions, and it takes both versions without a word.
// test/config/toml_walk.test.ts holds it against a parser that knows the difference.
import type { Path } from "./problems/fault.ts";

export interface Definition {
  /** With the index of each array of tables on the way. */
  readonly path: Path;
  /** UTF-16 index of the first character of the key. */
  readonly offset: number;
}

interface NewerSyntax {
  readonly found: string;
  readonly want: string;
  readonly offset: number;
}

interface TomlWalk {
  readonly definitions: readonly Definition[];
  readonly newer: readonly NewerSyntax[];
}

/** Walks `text` up to `end`, where the parser found something wrong. */
export function walkToml(text: string, end = text.length): TomlWalk {
  const walker = new Walker(text, end);
  walker.document();
  return walker;
}

class Walker implements TomlWalk {
  readonly definitions: Definition[] = [];
  readonly newer: NewerSyntax[] = [];
  readonly #text: string;
  readonly #end: number;
  /** Tables so far in each array of tables, by its path as JSON. */
  readonly #tableCounts = new Map<string, number>();
  #at = 0;

  constructor(text: string, end: number) {
    this.#text = text;
    this.#end = end;
    if (text.startsWith("\ufeff")) this.#at = 1;
  }

  document(): void {
    let prefix: Path = [];
    this.#blank();
    while (this.#at < this.#end) {
      const before = this.#at;
      if (this.#text[this.#at] === "[") prefix = this.#header();
      else this.#keyValue(prefix);
      this.#blank();
      // Not TOML after all, which the parser has reported already.
      if (this.#at === before) return;
    }
  }

  /** Skips spaces, line ends and comments; true if there was more than spaces. */
  #blank(): boolean {
    const start = this.#at;
    while (this.#at < this.#end) {
      const character = this.#text[this.#at]!;
      if (character === "#") this.#to("\n");
      else if (character === " " || character === "\t") this.#at++;
      else if (character === "\n" || character === "\r") this.#at++;
      else break;
    }
    return /[^ \t]/.test(this.#text.slice(start, this.#at));
  }

  #spaces(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  #header(): Path {
    const isArray = this.#text[this.#at + 1] === "[";
    this.#at += isArray ? 2 : 1;
    this.#spaces();
    const offset = this.#at;
    const names = this.#key();
    this.#at += isArray ? 2 : 1;
    const path: (string | number)[] = [];
    for (const [index, name] of names.entries()) {
      path.push(name);
      const id = JSON.stringify(path);
      let count = this.#tableCounts.get(id);
      if (isArray && index === names.length - 1) {
        count = (count ?? 0) + 1;
        this.#tableCounts.set(id, count);
      }
      if (count !== undefined) path.push(count - 1);
    }
    this.definitions.push({ path, offset });
    return path;
  }

  #keyValue(prefix: Path): void {
    const offset = this.#at;
    const path = [...prefix, ...this.#key()];
    this.definitions.push({ path, offset });
    if (this.#text[this.#at] === "=") this.#at++;
    this.#spaces();
    this.#value(path);
  }

  /** The parts of a dotted key; afterwards at what follows it. */
  #key(): string[] {
    const parts: string[] = [];
    while (this.#at < this.#end) {
      this.#spaces();
      const start = this.#at;
      if (this.#text[start] === '"' || this.#text[start] === "'") {
        this.#string();
        parts.push(unquoted(this.#text.slice(start, this.#at)));
      } else {
        while (this.#at < this.#end && /[\w-]/.test(this.#text[this.#at]!)) this.#at++;
        parts.push(this.#text.slice(start, this.#at));
      }
      this.#spaces();
      if (this.#text[this.#at] !== ".") break;
      this.#at++;
    }
    return parts;
  }

  #value(path: Path): void {
    const character = this.#text[this.#at];
    if (character === '"' || character === "'") this.#string();
    else if (character === "[") this.#array(path);
    else if (character === "{") this.#inlineTable(path);
    else this.#scalar();
  }

  #array(path: Path): void {
    this.#at++;
    for (let index = 0; this.#at < this.#end; index++) {
      this.#blank();
      if (this.#text[this.#at] === "]") break;
      this.#value([...path, index]);
      this.#blank();
      if (this.#text[this.#at] !== ",") break;
      this.#at++;
    }
    this.#at++;
  }

  #inlineTable(path: Path): void {
    const brace = this.#at++;
    let hasBreak = this.#blank();
    while (this.#at < this.#end && this.#text[this.#at] !== "}") {
      this.#keyValue(path);
      if (this.#blank()) hasBreak = true;
      if (this.#text[this.#at] !== ",") break;
      const comma = this.#at++;
      if (this.#blank()) hasBreak = true;
      if (this.#text[this.#at] === "}") {
        const found = "a comma after the last key of an inline table";
        this.newer.push({ found, want: "no comma there", offset: comma });
      }
    }
    this.#at++;
    if (!hasBreak) return;
    const want = "the inline table on one line, or a table with a header of its own";
    this.newer.push({ found: "a line end in an inline table", want, offset: brace });
  }

  #scalar(): void {
    const start = this.#at;
    while (this.#at < this.#end && !/[,\]}#\r\n]/.test(this.#text[this.#at]!)) this.#at++;
    const short = /(?<![:\d])\d\d:\d\d(?![:\d])/.test(
      withoutOffset(this.#text.slice(start, this.#at)),
    );
    if (!short) return;
    this.newer.push({
      found: "a time without seconds",
      want: "a time with seconds",
      offset: start,
    });
  }

  #string(): void {
    const quote = this.#text[this.#at]!;
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at);
    const close = isLong ? quote.repeat(3) : quote;
    this.#at += close.length;
    while (this.#at < this.#end && !this.#text.startsWith(close, this.#at)) {
      if (quote === '"' && this.#text[this.#at] === "\\") this.#escape();
      else this.#at++;
    }
    this.#at += close.length;
    // Up to two quotes may stand right before the closing ones.
    for (let extra = 0; isLong && extra < 2 && this.#text[this.#at] === quote; extra++) this.#at++;
  }

  #escape(): void {
    const letter = this.#text[this.#at + 1];
    if (letter === "e" || letter === "x") {
      const want = letter === "e" ? "\\u001b for it" : "\\u and four digits, such as \\u0041";
      this.newer.push({ found: `the escape \\${letter} in a string`, want, offset: this.#at });
    }
    this.#at += 2;
  }

  #to(character: string): void {
    const found = this.#text.indexOf(character, this.#at);
    this.#at = found === -1 ? this.#end : Math.min(found, this.#end);
  }
}

/** A date and time without its offset from UTC, whose minutes are the last thing in it. */
function withoutOffset(scalar: string): string {
  return scalar.replace(/[+-]\d\d:\d\d\s*$/, "");
}

/** The content of a quoted key. */
function unquoted(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1);
  try {
    return JSON.parse(text.replace(/\\U([0-9a-fA-F]{8})/g, longEscape));
  } catch {
    return text.slice(1, -1);
  }
}

function longEscape(_: string, digits: string): string {
  return JSON.stringify(String.fromCodePoint(Number.parseInt(digits, 16))).slice(1, -1);
}
