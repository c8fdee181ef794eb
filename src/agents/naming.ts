// What an agent is called (spec 03 section 2.2): what the rule of its member says, else the first
// that there is of unit, user's unit, container, script and program. Most of that comes from the
// process itself and may hold any bytes; a name has only characters that mean nothing to a log, a
// metrics page, a shell or a terminal. Cold side: it makes strings.
import { createHash } from "node:crypto";
import { AGENT_NAME_PLACEHOLDERS } from "../base/placeholders.ts";
import type { Identity } from "../processes/identity.ts";

/** What a rule says of the names of its members. */
export interface NamingRule {
  /** With placeholders; undefined = it says nothing of the name. */
  readonly name: string | undefined;
  /**
   * It matches by user, uid or unit: those whom it lets in are one agent, whatever their uid is.
   * Else anybody could give a program the name of another user's.
   */
  readonly bindsOwner: boolean;
}

/** Who a process is, whatever the mark of its program. */
type Known = Omit<Identity, "mark">;

/** What is known of a member when it is named. Texts are latin1. */
export interface MemberFacts {
  readonly pid: number;
  /** As the kernel attests it; NaN = it is on another machine, or nothing attests it. */
  readonly uid: number;
  readonly user: string;
  /** Undefined = its process is gone or hidden from us, or it is on another machine. */
  readonly identity: Known | undefined;
  /** Name of the listener of its beats, and the address that they come from; "" = none. */
  readonly listener: string;
  readonly address: string;
  /** What it says that it is called; undefined = it says nothing. */
  readonly announced?: string | undefined;
}

/** `owner` of members that are one agent by the word of a rule, and of those without a uid. */
export const OWNER_RULE = -1;
export const OWNER_UNKNOWN = -2;

export interface AgentName {
  /** Escaped, and of any length: `fitName` makes it fit. */
  readonly text: string;
  /** The uid whose members alone have this name, or one of the above. */
  readonly owner: number;
  /** What goes before the name if another owner has it. */
  readonly user: string;
  /** Any process can make up such a name, and as many of them as it likes. */
  readonly isFree: boolean;
}

type Placeholder = (typeof AGENT_NAME_PLACEHOLDERS)[number];

export function nameFor(facts: MemberFacts, rule: NamingRule | undefined): AgentName {
  const { uid, user, identity } = facts;
  const byRule = ruleName(facts, rule?.name);
  const own = byRule ?? ownName(facts);
  const isPlainUnit = byRule === undefined && hasSystemUnit(identity);
  const unknownOrUid = Number.isNaN(uid) ? OWNER_UNKNOWN : uid;
  return {
    text: /^[0-9]+$/.test(own) ? `comm:${own}` : own,
    owner: rule?.bindsOwner === true ? OWNER_RULE : unknownOrUid,
    user: escapeName(user) || "unknown",
    isFree: byRule === undefined ? !isPlainUnit : canMakeUp(rule!.name!, identity),
  };
}

const NAME_LENGTH_MAX = 64;
const CUT_LENGTH = 55;
const HASH_DIGITS = 8;

/** A name that fits: of a longer one the beginning, and a hash of all of it. */
export function fitName(text: string): string {
  if (text.length <= NAME_LENGTH_MAX) return text;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, HASH_DIGITS);
  return `${text.slice(0, CUT_LENGTH)}-${hash}`;
}

/** As `escapeBytes`; of the id of a container or a run the beginning is enough. */
function escapeName(latin1: string): string {
  return escapeBytes(latin1.replace(LONG_ID, (id) => id.slice(0, ID_DIGITS)));
}

/**
 * `latin1` with each byte that a name may not have as %XX. "/" and "%" are among these: in a name
 * they are made by us only.
 */
function escapeBytes(latin1: string): string {
  return latin1.replace(NOT_IN_NAMES, (character) => {
    const code = character.charCodeAt(0) & 0xff;
    return `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

const NOT_IN_NAMES = /[^A-Za-z0-9_.@:-]/g;
const LONG_ID = /[0-9a-fA-F]{32,}/g;
const ID_DIGITS = 12;
const PLACEHOLDER = new RegExp(`\\{(${AGENT_NAME_PLACEHOLDERS.join("|")})\\}`, "g");

/**
 * The name that a rule gives; undefined = it says nothing of it, or one of its placeholders has no
 * value: it would give the same half of a name to all.
 */
export function ruleName(facts: MemberFacts, template: string | undefined): string | undefined {
  if (template === undefined) return undefined;
  let isWhole = true;
  let text = "";
  let end = 0;
  for (const match of template.matchAll(PLACEHOLDER)) {
    const value = textOf(facts, match[1] as Placeholder);
    if (value === "") isWhole = false;
    text += literal(template.slice(end, match.index)) + value;
    end = match.index + match[0].length;
  }
  text += literal(template.slice(end));
  return isWhole && text !== "" ? text : undefined;
}

/** What the operator wrote, whose characters are those of a file in UTF-8; none of it is cut. */
function literal(text: string): string {
  return escapeBytes(Buffer.from(text, "utf8").toString("latin1"));
}

function textOf({ identity, user, listener }: MemberFacts, placeholder: Placeholder): string {
  switch (placeholder) {
    case "unit":
      return unitName(identity);
    case "instance":
      return escapeName(/@(.+)\.service$/.exec(identity?.unit ?? "")?.[1] ?? "");
    case "user":
      return escapeName(user);
    case "listener":
      return literal(listener);
    case "comm":
    case "script":
      return escapeName(identity?.[placeholder] ?? "");
    case "container":
      return containerName(identity);
    default:
      placeholder satisfies never;
      return "";
  }
}

function ownName(facts: MemberFacts): string {
  const { identity, uid, pid, address, listener } = facts;
  if (Number.isNaN(uid)) return `${address === "" ? literal(listener) : address}/${pid}`;
  const { script = "", comm = "" } = identity ?? {};
  const place = unitName(identity) || containerName(identity);
  return place || escapeName(script || comm) || `uid-${uid}`;
}

/** "worker@3" */
function unitName(identity: Known | undefined): string {
  return ownedName(identity, identity?.unit.replace(/\.service$/, "") ?? "");
}

/** "docker-0123456789ab" */
function containerName(identity: Known | undefined): string {
  return ownedName(identity, identity?.container ?? "");
}

/** That of a user has the user before it, so that it is none of the system. */
function ownedName(identity: Known | undefined, place: string): string {
  if (identity === undefined || place === "") return "";
  const name = escapeName(place);
  return identity.unitUser === "" ? name : `${escapeName(identity.unitUser)}:${name}`;
}

function hasSystemUnit(identity: Known | undefined): boolean {
  return identity !== undefined && identity.unit !== "" && identity.unitUser === "";
}

function canMakeUp(template: string, identity: Known | undefined): boolean {
  if (/\{(comm|script|container)\}/.test(template)) return true;
  return /\{(unit|instance)\}/.test(template) && !hasSystemUnit(identity);
}
