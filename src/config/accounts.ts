// User and group names, resolved once while the configuration is loaded (spec 07 section 2.4).
// Reads the two account files of the host directly; numbers need no entry there.
import { readFileSync } from "node:fs";

/** uid_t -1 means "no change" to the kernel, so the largest real id is one less. */
export const ACCOUNT_ID_MAX = 4_294_967_294;

export class Accounts {
  readonly file: string;
  #idByName: ReadonlyMap<string, number> | undefined;

  /** `file` has the form of /etc/passwd or /etc/group: name, password and id come first. */
  constructor(file: string) {
    this.file = file;
  }

  /** The id of a name, or a number written as digits; undefined if there is none. */
  resolve(nameOrId: string | number): number | undefined {
    if (typeof nameOrId === "number") return nameOrId;
    const id = this.#names().get(nameOrId);
    if (id !== undefined) return id;
    return /^[0-9]{1,10}$/.test(nameOrId) ? idWithinRange(Number(nameOrId)) : undefined;
  }

  /** The first name of an id; undefined if it has none. */
  nameOf(id: number): string | undefined {
    for (const [name, its] of this.#names()) if (its === id) return name;
    return undefined;
  }

  #names(): ReadonlyMap<string, number> {
    this.#idByName ??= readNames(this.file);
    return this.#idByName;
  }
}

function readNames(file: string): ReadonlyMap<string, number> {
  const names = new Map<string, number>();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // No account file (a container without one): every name is unknown, and the problem names the
    // file.
    return names;
  }
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (name === undefined || id === undefined || names.has(name)) continue;
    if (/^[0-9]{1,10}$/.test(id)) names.set(name, Number(id));
  }
  return names;
}

function idWithinRange(id: number): number | undefined {
  return id <= ACCOUNT_ID_MAX ? id : undefined;
}
