// A fault found while a configuration is loaded, before it has a position: key path, what was found and what is wanted.
// render.ts finds the line and column of all of them at the end (spec 07 section 4).

/** Keys and array indexes from the top of the file: ["listener", 0, "mode"]. */
export type Path = readonly (string | number)[];

/** What the column points at: the value, the key itself, or the header of the table that should hold the key. */
export type Anchor = "value" | "key" | "header";

export interface Fault {
  readonly path: Path;
  readonly anchor: Anchor;
  readonly found: string;
  readonly want: string;
  readonly suggestion?: string | undefined;
  /** Long name without dashes of the option at fault; the message then names it and has no position. */
  readonly option?: string | undefined;
  /** False if the file has a part in it, which decides between exit codes 64 and 78. */
  readonly onlyOptions?: boolean;
}

/** "listener[0].mode" */
export function pathLabel(path: Path): string {
  let label = "";
  for (const part of path) {
    if (typeof part === "number") label += `[${part}]`;
    else label += label === "" ? keyLabel(part) : `.${keyLabel(part)}`;
  }
  return label;
}

/** A key as TOML would have it written: quoted if it is not bare. */
function keyLabel(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}
