// A user of this machine with all groups, as the service manager or a login would start a process:
// what `check` becomes to see what the daemon would see.
import { readFileSync } from "node:fs";
import { ACCOUNT_ID_MAX } from "./accounts.ts";

export interface UserAccount {
  /** The number as text, if it has no name. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; the primary one may be among them. */
  readonly groups: readonly number[];
}

interface AccountFiles {
  readonly passwdFile: string;
  readonly groupFile: string;
}

/**
 * The user with this name or number; undefined if there is none. `group` takes the place of the
 * primary group, and `extraGroups` are added, each a name or number; those that do not exist are
 * left out.
 */
export function findUser(
  nameOrUid: string,
  { passwdFile, groupFile }: AccountFiles,
  group?: string,
  extraGroups: readonly string[] = [],
): UserAccount | undefined {
  const users = rowsOf(passwdFile).map(([name = "", , uid, gid]) => ({
    name,
    uid: Number(uid),
    gid: Number(gid),
  }));
  const isNumber = isId(nameOrUid);
  const user =
    users.find(({ name }) => name === nameOrUid) ??
    (isNumber
      ? (users.find(({ uid }) => uid === Number(nameOrUid)) ?? nameless(nameOrUid))
      : undefined);
  if (user === undefined) return undefined;
  const groups = rowsOf(groupFile).map(([name = "", , gid, members = ""]) => ({
    name,
    gid: Number(gid),
    members: members.split(","),
  }));
  function gidOf(nameOrGid: string): number | undefined {
    const found = groups.find(({ name }) => name === nameOrGid)?.gid;
    return found ?? (isId(nameOrGid) ? Number(nameOrGid) : undefined);
  }
  const own = groups.filter(({ members }) => members.includes(user.name)).map(({ gid }) => gid);
  const extra = extraGroups.map(gidOf).filter((gid) => gid !== undefined);
  const gid = (group === undefined ? undefined : gidOf(group)) ?? user.gid;
  return { ...user, gid, groups: [...new Set([gid, ...own, ...extra])] };
}

/** What is above would be cut to another number by the kernel: 2^32 to that of root. */
function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= ACCOUNT_ID_MAX;
}

/** A number without an entry: the kernel takes it, with the group of the same number. */
function nameless(number: string) {
  return { name: number, uid: Number(number), gid: Number(number) };
}

function rowsOf(file: string): string[][] {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split(":"));
  } catch {
    return [];
  }
}
