// Which rule is a member's (spec 15 section 1): the first whose match takes it. A pure function of
// what is known of the member, asked once when it is new and again when its program has changed;
// never for a beat.
import { matchesGlob } from "../base/glob.ts";
import type { Announce } from "./announcing.ts";
import {
  factOf,
  isNamedByUser,
  isOfUser,
  MATCH_FIELDS,
  type Match,
  type MatchField,
  type MatchFacts,
  matchesOfUser,
} from "./match.ts";
import type { MemberFacts, NamingRule } from "./naming.ts";

/** The plan of a rule under which nothing is done. */
export const NO_PLAN = "none";

/** No rule takes the member: the largest u16, so that a slot can hold it beside the others. */
export const RULE_NONE = 0xffff;

/** What of a rule matters to a member that it takes. */
export interface MemberRule extends NamingRule {
  /** In the order of the configuration. */
  readonly index: number;
  readonly thresholdNs: number;
  /** How far its members are heard that ask for another one. */
  readonly thresholdMinNs: number;
  readonly thresholdMaxNs: number;
  /** +Infinity = it is never late. */
  readonly lateNs: number;
  readonly graceNs: number;
  /** Of the names that its members announce; default: none. */
  readonly announce?: Announce;
}

/** The rule that a member matches first; undefined = none. */
export type RuleFinder = (facts: MemberFacts) => MemberRule | undefined;

/** A condition of a rule, ready to be held against facts. */
interface Condition {
  /** Its index in `MATCH_FIELDS`. */
  readonly field: number;
  /** Without wildcards, which most are: one comparison each. */
  readonly texts: readonly string[];
  readonly globs: readonly string[];
}

const NAMED_BY_USER: readonly boolean[] = MATCH_FIELDS.map(isNamedByUser);

export class AgentRules {
  readonly #rules: readonly (readonly Condition[])[];
  /** The facts of the member that is looked at, in the order of `MATCH_FIELDS`. */
  readonly #facts: string[] = MATCH_FIELDS.map(() => "");

  constructor(matches: readonly Match[]) {
    this.#rules = matches.map(conditionsOf);
  }

  get count(): number {
    return this.#rules.length;
  }

  /** The index of the first rule that takes the member; RULE_NONE = none does. */
  ruleOf(member: MatchFacts): number {
    this.#takeFacts(member);
    const ofUser = isOfUser(member);
    for (let index = 0; index < this.#rules.length; index++)
      if (this.#takes(this.#rules[index]!, ofUser)) return index;
    return RULE_NONE;
  }

  /** The conditions of a rule, with whether each holds: for people, who ask why. */
  conditionsOf(index: number, member: MatchFacts): readonly ExplainedCondition[] {
    this.#takeFacts(member);
    const ofUser = isOfUser(member);
    return this.#rules[index]!.map((condition) => ({
      field: MATCH_FIELDS[condition.field]!,
      holds: this.#holds(condition, ofUser),
    }));
  }

  #takeFacts(member: MatchFacts): void {
    for (let field = 0; field < MATCH_FIELDS.length; field++)
      this.#facts[field] = factOf(MATCH_FIELDS[field]!, member);
  }

  #takes(conditions: readonly Condition[], ofUser: boolean): boolean {
    for (const condition of conditions) if (!this.#holds(condition, ofUser)) return false;
    return true;
  }

  #holds({ field, texts, globs }: Condition, ofUser: boolean): boolean {
    const fact = this.#facts[field]!;
    if (fact === "") return false;
    // A text that names a user's unit or container to the letter is right, too.
    for (const text of texts) if (text === fact) return true;
    const isOfUsers = ofUser && NAMED_BY_USER[field]!;
    for (const glob of globs)
      if (isOfUsers ? matchesOfUser(glob, fact) : matchesGlob(glob, fact)) return true;
    return false;
  }
}

interface ExplainedCondition {
  readonly field: MatchField;
  readonly holds: boolean;
}

function conditionsOf(match: Match): Condition[] {
  return MATCH_FIELDS.flatMap((name, field) => {
    const globs = match[name];
    if (globs === undefined) return [];
    const hasWildcard = (glob: string): boolean => /[*?]/.test(glob);
    return [
      {
        field,
        texts: globs.filter((glob) => !hasWildcard(glob)),
        globs: globs.filter(hasWildcard),
      },
    ];
  });
}
