// The names of users by their uid, from the account file of the machine. It is read when a uid is
// asked for that it had not when it was last read, and not more often than once a minute: an
// account may be made while the daemon runs.
import { readFileSync } from "node:fs";
import { NS_PER_S } from "../base/time.ts";

const PASSWD_FILE = "/etc/passwd";
const READ_EVERY_NS = 60 * NS_PER_S;

export class UserNames {
  readonly #file: string;
  #nameByUid: ReadonlyMap<number, string> = new Map();
  #readNs = Number.NEGATIVE_INFINITY;

  constructor(file = PASSWD_FILE) {
    this.#file = file;
  }

  /** The name of `uid`, as latin1; its digits if it has none. */
  nameOf(uid: number, nowNs: number): string {
    const name = this.#nameByUid.get(uid);
    if (name !== undefined || nowNs - this.#readNs < READ_EVERY_NS) return name ?? `${uid}`;
    this.#readNs = nowNs;
    this.#nameByUid = readNames(this.#file);
    return this.#nameByUid.get(uid) ?? `${uid}`;
  }
}

function readNames(file: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of linesOf(file)) {
    const [name = "", , uid = ""] = line.split(":");
    const isEntry = name !== "" && /^[0-9]{1,10}$/.test(uid);
    if (isEntry && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "latin1").split("\n");
  } catch {
    // A container may have no account file: uids are their own names.
    return [];
  }
}
