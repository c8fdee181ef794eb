// Whether a member is called what it announces (spec 15 section 8.2). A name chooses nothing but
// itself, and still must not be another's: alarms, mutes and acts are told by names.
import { matchesAnyGlob } from "../base/glob.ts";

/** What a rule says of announced names: none, any, or those that a glob matches. */
type Announce = boolean | readonly string[];

/** Label values of the count, in the order in which they are asked. */
export const NAME_REFUSALS = ["not_allowed", "other_rule", "expected", "other_owner"] as const;
type NameRefusal = (typeof NAME_REFUSALS)[number];

export interface Announcement {
  readonly name: string;
  /** The uid that the kernel attests for who announces it; NaN = none does. */
  readonly uid: number;
  /** Of the rule that takes the member; false if none does. */
  readonly announce: Announce;
  /** The fixed name that its own rule gives; undefined = it gives none. */
  readonly ruleName: string | undefined;
  /**
   * Whose the name is now, as `AgentName.owner` has it: a uid, or below 0 for one by the word of a
   * rule; undefined = no member has it.
   */
  readonly heldBy: number | undefined;
}

/** Names that belong to rules, whether anybody has them now or not. */
interface TakenNames {
  /** Without placeholders. */
  readonly ofRules: ReadonlySet<string>;
  /** Of agents of which members are expected. */
  readonly expected: ReadonlySet<string>;
}

/** Why the member is not called so; undefined = it is. */
export function nameRefusal(
  { name, uid, announce, ruleName, heldBy }: Announcement,
  { ofRules, expected }: TakenNames,
): NameRefusal | undefined {
  if (!isAllowed(announce, name)) return "not_allowed";
  // What it is called anyway is nobody else's.
  if (name === ruleName) return undefined;
  if (ofRules.has(name)) return "other_rule";
  if (expected.has(name)) return "expected";
  return heldBy === undefined || heldBy === uid ? undefined : "other_owner";
}

function isAllowed(announce: Announce, name: string): boolean {
  return typeof announce === "boolean" ? announce : matchesAnyGlob(announce, name);
}
