// Line and column of every key, value and table header of a TOML file (spec 07 section 4). Loaded
// and run only when there is a problem to report: a good file never pays for it.
import { type AST, parseTOML } from "toml-eslint-parser";
import type { Anchor, Path } from "./fault.ts";
import { codePointColumn } from "../toml_document.ts";

interface Position {
  readonly line: number;
  /** 1-based, in code points. */
  readonly column: number;
}

export class Positions {
  readonly #byPath = new Map<string, Partial<Record<Anchor, Position>>>();
  readonly #lines: readonly string[];

  constructor(text: string) {
    this.#lines = text.split("\n");
    for (const node of nodesOf(text)) {
      if (node.type === "TOMLTable") this.#addTable(node);
      else this.#addKeyValue(node, []);
    }
  }

  has(path: Path): boolean {
    return this.#byPath.has(JSON.stringify(path));
  }

  /** Where `anchor` of `path` is; else the nearest thing around it; else the start of the file. */
  find(path: Path, anchor: Anchor): Position {
    const order: Anchor[] = anchor === "header" ? ["header", "key"] : [anchor, "key", "header"];
    for (let length = path.length; length > 0; length--) {
      const known = this.#byPath.get(JSON.stringify(path.slice(0, length)));
      for (const one of order) {
        const position = known?.[one];
        if (position !== undefined) return position;
      }
    }
    return { line: 1, column: 1 };
  }

  #addTable(table: AST.TOMLTable): void {
    const path = table.resolvedKey;
    this.#add(path, "header", table);
    // The names in a header define the tables on the way, unless these have a header of their own.
    const names = path.filter((part) => typeof part === "string");
    for (const [index, node] of table.key.keys.entries()) {
      this.#add(names.slice(0, index + 1), "key", node);
      if (index === names.length - 1) this.#add(path, "key", node);
    }
    for (const node of table.body) this.#addKeyValue(node, path);
  }

  #addKeyValue(node: AST.TOMLKeyValue, prefix: Path): void {
    const path = [...prefix];
    for (const part of node.key.keys) {
      path.push(part.type === "TOMLBare" ? part.name : part.value);
      this.#add(path, "key", part);
    }
    this.#addValue(node.value, path);
  }

  #addValue(node: AST.TOMLContentNode, path: Path): void {
    this.#add(path, "value", node);
    if (node.type === "TOMLArray") {
      for (const [index, item] of node.elements.entries()) this.#addValue(item, [...path, index]);
    } else if (node.type === "TOMLInlineTable") {
      this.#add(path, "header", node);
      for (const entry of node.body) this.#addKeyValue(entry, path);
    }
  }

  #add(path: Path, anchor: Anchor, node: AST.TOMLNode): void {
    const id = JSON.stringify(path);
    const known = this.#byPath.get(id) ?? {};
    const { line, column } = node.loc.start;
    known[anchor] ??= { line, column: codePointColumn(this.#lines, line, column) };
    this.#byPath.set(id, known);
  }
}

// The two parsers differ in what they refuse. A file that only this one cannot read has problems
// without a place.
function nodesOf(text: string): AST.TOMLTopLevelTable["body"] {
  try {
    return parseTOML(text, { tomlVersion: "1.1" }).body[0].body;
  } catch {
    return [];
  }
}
