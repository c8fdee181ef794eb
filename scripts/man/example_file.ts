// Reads varta.toml.example as the manual that it is: sections, tables and keys with the comments
// above them. The manual page is made from it, so that there is one text about each key.

export interface ExampleFile {
  /** Comments above the first section. */
  readonly introduction: readonly Prose[];
  readonly sections: readonly ExampleSection[];
}

export interface ExampleSection {
  readonly title: string;
  readonly about: readonly Prose[];
  readonly tables: readonly ExampleTable[];
}

export interface ExampleTable {
  /** As in the file: "[observer]", "[[listener]]". */
  readonly header: string;
  readonly about: readonly Prose[];
  readonly entries: readonly ExampleEntry[];
}

/** Keys that stand together, and what is said about them. */
export interface ExampleEntry {
  readonly about: readonly Prose[];
  readonly keys: readonly ExampleKey[];
}

export interface ExampleKey {
  readonly name: string;
  readonly value: string;
  /** Active in the example, so its value is not the default. */
  readonly isSet: boolean;
}

/** A paragraph, or lines that keep their form. */
export type Prose =
  | { readonly is: "paragraph"; readonly text: string }
  | { readonly is: "lines"; readonly lines: readonly string[] };

const SECTION = /^# --- (.+?) -+$/;
const HEADER = /^#?(\[{1,2}[a-z.]+\]{1,2})$/;
const KEY = /^(#?)([a-z_]+) = (.+)$/;

/** An array that goes on in the next lines, in one line. */
export function joinedArrays(text: string): string {
  const joined = text.replace(/^(#[a-z_]+ = \[[^\]\n]*,)\n# +/gm, "$1 ");
  return joined === text ? text : joinedArrays(joined);
}

export function readExample(text: string): ExampleFile {
  const introduction: Prose[] = [];
  const sections: {
    title: string;
    about: Prose[];
    tables: { header: string; about: Prose[]; entries: ExampleEntry[] }[];
  }[] = [];
  for (const block of joinedArrays(text).split(/\n{2,}/)) {
    const comments: string[] = [];
    const keys: ExampleKey[] = [];
    let header: string | undefined;
    for (const line of block.split("\n")) {
      const section = SECTION.exec(line);
      const headed = HEADER.exec(line);
      const key = KEY.exec(line);
      if (line.startsWith("#:schema") || line === "") continue;
      if (section !== null) sections.push({ title: section[1]!, about: [], tables: [] });
      else if (headed !== null) header = headed[1]!;
      else if (key !== null) keys.push({ name: key[2]!, value: key[3]!, isSet: key[1] === "" });
      else if (line.startsWith("#")) comments.push(line.slice(1).replace(/^ /, ""));
      else
        throw new Error(`varta.toml.example has a line that is no comment, table or key: ${line}`);
    }
    const about = proseOf(comments);
    const section = sections.at(-1);
    if (section === undefined) {
      introduction.push(...about);
      continue;
    }
    if (header !== undefined) section.tables.push({ header, about, entries: [] });
    const table = section.tables.at(-1);
    if (keys.length > 0) {
      if (table === undefined) throw new Error(`${keys[0]!.name} is in no table`);
      table.entries.push({ about: header === undefined ? about : [], keys });
    } else if (header === undefined) section.about.push(...about);
  }
  return { introduction, sections };
}

// Indented lines keep their form; the others are filled to paragraphs, which an empty line ends.
function proseOf(comments: readonly string[]): Prose[] {
  const parts: ({ is: "paragraph"; text: string } | { is: "lines"; lines: string[] })[] = [];
  let fresh = true;
  for (const comment of comments) {
    const last = parts.at(-1);
    if (comment.trim() === "") fresh = true;
    else if (/^ {2}/.test(comment)) {
      if (last?.is === "lines") last.lines.push(comment);
      else parts.push({ is: "lines", lines: [comment] });
      fresh = true;
    } else if (last?.is === "paragraph" && !fresh) last.text += ` ${comment}`;
    else {
      parts.push({ is: "paragraph", text: comment });
      fresh = false;
    }
  }
  return parts.map((part) =>
    part.is === "paragraph" ? part : { is: "lines", lines: unindented(part.lines) },
  );
}

function unindented(lines: readonly string[]): string[] {
  const indent = Math.min(...lines.map((line) => /^ */.exec(line)![0].length));
  return lines.map((line) => line.slice(indent));
}
