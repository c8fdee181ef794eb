// Whether a member is called what it announces (spec 15 section 8.2). A name chooses nothing but
// itself, and still must not be another's: alarms, mutes and acts are told by names.
import { block, Counters, counter } from "../base/counters.ts";
import { matchesAnyGlob } from "../base/glob.ts";
import type { AgentTable } from "./agent_table.ts";
import {
  type AgentName,
  type MemberFacts,
  nameFor,
  type NamingRule,
  OWNER_UNKNOWN,
  ruleName,
} from "./naming.ts";

/** What a rule says of announced names: none, any, or those that a glob matches. */
export type Announce = boolean | readonly string[];

/** Label values of the count, in the order in which they are asked. */
export const NAME_REFUSALS = ["not_allowed", "other_rule", "expected", "other_owner"] as const;
export type NameRefusal = (typeof NAME_REFUSALS)[number];

export interface Announcement {
  readonly name: string;
  /** Who announces it, as `heldBy`: the uid that the kernel attests, or OWNER_UNKNOWN. */
  readonly owner: number;
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
export interface TakenNames {
  /** Without placeholders. */
  readonly ofRules: ReadonlySet<string>;
  /** Of agents of which members are expected. */
  readonly expected: ReadonlySet<string>;
}

/** Why the member is not called so; undefined = it is. */
export function nameRefusal(
  { name, owner, announce, ruleName, heldBy }: Announcement,
  { ofRules, expected }: TakenNames,
): NameRefusal | undefined {
  if (!isAllowed(announce, name)) return "not_allowed";
  // What it is called anyway is nobody else's.
  if (name === ruleName) return undefined;
  if (ofRules.has(name)) return "other_rule";
  if (expected.has(name)) return "expected";
  return heldBy === undefined || heldBy === owner ? undefined : "other_owner";
}

function isAllowed(announce: Announce, name: string): boolean {
  return typeof announce === "boolean" ? announce : matchesAnyGlob(announce, name);
}

export const NAMES = block({
  refused: counter(
    "varta_announced_names_refused_total",
    "Names that members announced and that they do not have, by reason.",
    { label: "reason", values: NAME_REFUSALS },
  ),
});

/** A rule as far as names are concerned. */
interface AnnouncingRule extends NamingRule {
  /** Default: its members may not name themselves. */
  readonly announce?: Announce;
}

/** Names members, what they announce included. */
export class MemberNames {
  readonly counters = new Counters(NAMES, this);
  /** Hears of each that is refused. */
  onRefused: ((facts: MemberFacts, refusal: NameRefusal) => void) | undefined = undefined;
  readonly #agents: AgentTable;
  #taken: TakenNames;

  constructor(agents: AgentTable, taken: TakenNames) {
    this.#agents = agents;
    this.#taken = taken;
  }

  /** Other names belong to rules from now on. */
  change(taken: TakenNames): void {
    this.#taken = taken;
  }

  /** What a member of `rule` is called. A name that is refused is counted. */
  nameOf(facts: MemberFacts, rule: AnnouncingRule | undefined): AgentName {
    const refusal = this.refusalOf(facts, rule);
    if (refusal !== undefined) {
      this.counters.add(NAMES.refused[refusal]);
      this.onRefused?.(facts, refusal);
    }
    return refusal === undefined ? announcedName(facts, rule) : nameFor(facts, rule);
  }

  /** Why it is not called what it announces; undefined = it is, or it announces nothing. */
  refusalOf(facts: MemberFacts, rule: AnnouncingRule | undefined): NameRefusal | undefined {
    const { announced = "", uid } = facts;
    if (announced === "") return undefined;
    const announcement = {
      name: announced,
      owner: ownerOf(uid),
      announce: rule?.announce ?? false,
      ruleName: ruleName(facts, rule?.name),
      heldBy: this.#agents.holderOf(announced),
    };
    return nameRefusal(announcement, this.#taken);
  }
}

/** That of a member which may be called what it announces, if it announces anything. */
export function announcedName(facts: MemberFacts, rule: NamingRule | undefined): AgentName {
  const { announced = "", uid } = facts;
  const own = nameFor(facts, rule);
  // What its rule calls it anyway is the rule's.
  if (announced === "" || announced === own.text) return own;
  return { ...own, text: announced, owner: ownerOf(uid), isFree: true };
}

function ownerOf(uid: number): number {
  return Number.isNaN(uid) ? OWNER_UNKNOWN : uid;
}
