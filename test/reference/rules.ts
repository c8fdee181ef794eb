// Which rule is a member's, in the words of spec 15 section 1 and nothing faster: every condition
// of every rule by a regular expression.
import { MATCH_FIELDS, type Match, type MatchFacts } from "../../src/agents/match.ts";

export function ruleOfTwin(matches: readonly Match[], facts: MatchFacts): number {
  const index = matches.findIndex((match) =>
    MATCH_FIELDS.every((field) => {
      const globs = match[field];
      return globs === undefined || globs.some((glob) => holds(field, glob, facts));
    }),
  );
  return index < 0 ? 65_535 : index;
}

function holds(field: (typeof MATCH_FIELDS)[number], glob: string, facts: MatchFacts): boolean {
  const { uid, user, identity, listener, address } = facts;
  const process = identity ?? {
    unit: "",
    unitUser: "",
    container: "",
    comm: "",
    exe: "",
    script: "",
  };
  const texts = { ...process, uid: String(uid), user, listener, address };
  const text = field === "uid" && Number.isNaN(uid) ? "" : texts[field];
  if (text === "") return false;
  const isNamedByUser = field === "unit" || field === "container";
  if (!isNamedByUser || process.unitUser === "") return like(glob, text);
  // The unit or container of a user is only that of a rule which speaks of the user.
  const [globUser, ...globUnit] = glob.split(":");
  if (globUnit.length === 0) return false;
  return like(globUser!, process.unitUser) && like(globUnit.join(":"), text);
}

function like(glob: string, text: string): boolean {
  const source = [...glob].map((letter) =>
    letter === "*" ? ".*" : letter === "?" ? "." : letter.replace(/[^A-Za-z0-9]/, "\\$&"),
  );
  return new RegExp(`^${source.join("")}$`, "s").test(text);
}
