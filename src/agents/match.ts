// What the rules of the configuration look at (spec 15 section 1): a match has globs for some
// facts of a member, and takes the members of which all of them hold. A fact that is not known
// matches no glob, not even "*": a rule never takes a member for what it might be.
import { coversGlob, matchesGlob } from "../base/glob.ts";

/** The facts in the order in which they are looked at. */
export const MATCH_FIELDS = [
  "unit",
  "user",
  "uid",
  "comm",
  "script",
  "exe",
  "container",
  "listener",
  "address",
] as const;

export type MatchField = (typeof MATCH_FIELDS)[number];

/** One of the globs of each field has to match. */
export type Match = { readonly [F in MatchField]?: readonly string[] | undefined };

/** What the kernel and systemd say of a process; "" = it is not known, or there is none. */
interface ProcessFacts {
  readonly unit: string;
  /** Whose manager has the unit or the container; "" = it is one of the system. */
  readonly unitUser: string;
  readonly container: string;
  readonly comm: string;
  readonly exe: string;
  readonly script: string;
}

export interface MatchFacts {
  /** As the kernel attests it; NaN = it is on another machine, or nothing attests it. */
  readonly uid: number;
  readonly user: string;
  /** Undefined = its process is gone or hidden from us, or it is on another machine. */
  readonly identity: ProcessFacts | undefined;
  /** Name of the listener that took its first beat. */
  readonly listener: string;
  /** From where a member on another machine beats; "" = it is on this one. */
  readonly address: string;
}

/** The one text of a fact that globs are held against; "" = it is not known. */
export function factOf(field: MatchField, facts: MatchFacts): string {
  const { uid, user, identity } = facts;
  switch (field) {
    case "uid":
      return Number.isNaN(uid) ? "" : String(uid);
    case "user":
      return user;
    case "listener":
    case "address":
      return facts[field];
    case "unit":
    case "container": {
      const place = identity?.[field] ?? "";
      return place !== "" && isOfUser(facts) ? identity!.unitUser + USER_END + place : place;
    }
    default:
      return identity?.[field] ?? "";
  }
}

/** True if it runs in a unit or a container of a user's manager. */
export function isOfUser({ identity }: MatchFacts): boolean {
  return identity !== undefined && identity.unitUser !== "";
}

/** True of facts that a user whose manager has the member may call as they like. */
export function isNamedByUser(field: MatchField): boolean {
  return field === "unit" || field === "container";
}

/** Ends the user in the text of a user's unit or container: "dana:worker.service". */
const USER_END = ":";

/**
 * Whether a glob holds for a user's unit or container. Users name theirs as they like, so a glob
 * that does not speak of a user never takes one for what is of the system.
 */
export function matchesOfUser(glob: string, text: string): boolean {
  const globEnd = glob.indexOf(USER_END);
  const textEnd = text.indexOf(USER_END);
  if (globEnd < 0) return false;
  const isUser = matchesGlob(glob.slice(0, globEnd), text.slice(0, textEnd));
  return isUser && matchesGlob(glob.slice(globEnd + 1), text.slice(textEnd + 1));
}

/**
 * True if `wide` takes every member that `narrow` takes, as far as that can be seen from the two.
 * `listeners` are the names of all there are.
 */
export function coversMatch(wide: Match, narrow: Match, listeners: readonly string[]): boolean {
  return MATCH_FIELDS.every((field) => {
    const globs = wide[field];
    if (globs === undefined) return true;
    const covered = narrow[field];
    if (field === "listener" && globsTakeAll(globs, listeners)) return true;
    if (covered === undefined) return false;
    return covered.every((glob) => globs.some((one) => coversFact(field, one, glob)));
  });
}

function globsTakeAll(globs: readonly string[], texts: readonly string[]): boolean {
  return texts.length > 0 && texts.every((text) => globs.some((glob) => matchesGlob(glob, text)));
}

function coversFact(field: MatchField, wide: string, narrow: string): boolean {
  if (!coversGlob(wide, narrow)) return false;
  const narrowEnd = narrow.indexOf(USER_END);
  if (!isNamedByUser(field) || narrowEnd < 0) return true;
  // It takes what is of users, too.
  const wideEnd = wide.indexOf(USER_END);
  if (wideEnd < 0) return false;
  const coversUser = coversGlob(wide.slice(0, wideEnd), narrow.slice(0, narrowEnd));
  return coversUser && coversGlob(wide.slice(wideEnd + 1), narrow.slice(narrowEnd + 1));
}
