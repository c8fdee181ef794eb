// Where the file of a secret's path really is. A volume of Kubernetes shows each key as a link (key
// -> ..data/key, ..data -> ..2026_11_27), so that all of them change at once. Links are followed as
// long as they stay below the directory of the path, belong to the daemon's user or root, and lead
// through directories that no other user may write to: then no other user decides where they lead.
import { lstatSync, readlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parentFault } from "../files/directory_rules.ts";
import type { SecretFault } from "./secret_fault.ts";

type SecretPath =
  /**
   * The last name in `path` is no link, or was none a moment ago: it is opened without following
   * one.
   */
  { readonly ok: true; readonly path: string } | SecretFault;

/** Kubernetes has two. */
const LINKS_MAX = 8;

export function secretPath(path: string, ownerUid: number): SecretPath {
  let directory = dirname(resolve(path));
  const names = [resolve(path).slice(directory === "/" ? 1 : directory.length + 1)];
  for (let links = 0; ; ) {
    const at = join(directory, names.shift()!);
    const status = lstatSync(at, { throwIfNoEntry: false });
    if (status === undefined || !status.isSymbolicLink()) {
      if (names.length === 0) return { ok: true, path: at };
      directory = at;
      continue;
    }
    const target = readlinkSync(at);
    const fault = linkFault(at, { uid: status.uid, target, ownerUid });
    if (fault !== undefined) return fault;
    if (++links > LINKS_MAX)
      return refusal("which is a chain of links without an end", "a regular file");
    names.unshift(...target.split("/").filter((name) => name !== "" && name !== "."));
  }
}

interface Link {
  readonly uid: number;
  readonly target: string;
  readonly ownerUid: number;
}

function linkFault(at: string, { uid, target, ownerUid }: Link): SecretFault | undefined {
  if (uid !== ownerUid && uid !== 0)
    return refusal(`which leads through ${at}, a symlink of uid ${uid}`, ownersText(ownerUid));
  if (target.startsWith("/") || target.split("/").includes(".."))
    return refusal("which is a symlink", "a regular file: it must not be a symlink");
  const directory = parentFault(at, ownerUid);
  if (directory === undefined) return undefined;
  return refusal(`which is in ${directory.found}`, directory.want);
}

function ownersText(uid: number): string {
  return uid === 0 ? "links that belong to root" : `links that belong to uid ${uid} or root`;
}

function refusal(found: string, want: string): SecretFault {
  return { ok: false, found, want };
}
