// A fault found while a configuration is loaded, before it has a position: key path, what was found
// and what is wanted. render.ts finds the line and column of all of them at the end (spec 07
// section 4).

import { escapeUnprintable } from "../../base/unprintable.ts";

/** Keys and array indexes from the top of the file: ["listener", 0, "mode"]. */
export type Path = readonly (string | number)[];

/**
 * What the column points at: the value, the key itself, or the header of the table that should hold
 * the key.
 */
export type Anchor = "value" | "key" | "header";

export interface Fault {
  readonly path: Path;
  readonly anchor: Anchor;
  readonly found: string;
  readonly want: string;
  readonly suggestion?: string | undefined;
  /**
   * Long name without dashes of the option at fault; the message then names it and has no position.
   */
  readonly option?: string | undefined;
  /** False if the file has a part in it, which decides between exit codes 64 and 78. */
  readonly onlyOptions?: boolean;
}

/** Arrays whose items have headers of their own, and the word for one that has a name. */
const TABLE_ARRAYS: Readonly<Record<string, string>> = {
  listener: "listener",
  agent: "agent",
  "recovery.plan": "plan",
  "recovery.step": "",
  "recovery.plan.step": "",
};

/** The names of the items of an array, by its path: "recovery.plan". */
export type ItemNames = Readonly<Record<string, readonly (string | undefined)[] | undefined>>;

/**
 * The place in words, counted from 1: "1st [[listener]]: mode", or "listener edge: mode" if `names`
 * has a name for it; "recovery.command, 2nd item".
 */
export function pathLabel(path: Path, names: ItemNames = {}): string {
  let label = "";
  let separator = "";
  /** The path without its indexes. */
  let dotted = "";
  for (const part of path) {
    if (typeof part === "string") {
      label += `${separator}${keyLabel(part)}`;
      dotted += dotted === "" ? part : `.${part}`;
      separator = ".";
    } else if (Object.hasOwn(TABLE_ARRAYS, dotted)) {
      const name = names[dotted]?.[part];
      const item = `${ordinal(part + 1)} [[${dotted}]]`;
      const own = name === undefined ? item : `${TABLE_ARRAYS[dotted]} ${name}`;
      // A step of a plan comes after the plan: "plan restart: 2nd [[recovery.plan.step]]".
      const holder = label.lastIndexOf(": ");
      label = holder === -1 ? own : `${label.slice(0, holder + 2)}${own}`;
      separator = ": ";
    } else label += `, ${ordinal(part + 1)} item`;
  }
  return label;
}

/** "listener[0].mode": the same for programs, counted from 0. */
export function pathKey(path: Path): string {
  let key = "";
  for (const part of path) {
    if (typeof part === "number") key += `[${part}]`;
    else key += key === "" ? keyLabel(part) : `.${keyLabel(part)}`;
  }
  return key;
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st. */
export function ordinal(number: number): string {
  const teen = number % 100 >= 11 && number % 100 <= 13;
  const ending = teen ? undefined : { 1: "st", 2: "nd", 3: "rd" }[number % 10];
  return `${number}${ending ?? "th"}`;
}

/** A key as TOML would have it written: quoted if it is not bare. */
function keyLabel(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : escapeUnprintable(JSON.stringify(name));
}
