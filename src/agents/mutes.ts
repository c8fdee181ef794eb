// Who is muted, until when, and who asked for it (spec 16 section 8). A muted agent is judged,
// shown and counted, and nothing is recovered. Every mute has an end, which is a deadline of the
// loop; a name is looked at when something is decided or shown, never at a beat.
import { assert } from "../base/assert.ts";
import { matchesGlob } from "../base/glob.ts";
import { MUTE_NS_MAX, MUTES_MAX } from "../base/limits.ts";
import type { Asker } from "../events/act.ts";

/** What a mute is about. A glob and `all` hold for names that come later, too. */
export type MuteTarget =
  | { readonly kind: "agent"; readonly name: string }
  | { readonly kind: "glob"; readonly glob: string }
  | { readonly kind: "all" }
  | ({ readonly kind: "member"; readonly name: string } & MutedMember);

/** One process, and no other that gets its pid. */
interface MutedMember {
  readonly pid: number;
  /** The tracker's key: the pid, unless another source holds that. */
  readonly key: number;
  readonly generation: number;
}

export interface Mute {
  readonly target: MuteTarget;
  /** Bounded and without control characters; "" = none was given. */
  readonly reason: string;
  readonly by: Asker;
  /** Observer times. */
  readonly beganNs: number;
  readonly untilNs: number;
}

/** Of whom it is asked whether they are muted. */
export interface Mutable {
  /** Number of the agent. */
  readonly agent: number;
  /** The tracker's key. */
  readonly key: number;
  readonly generation: number;
}

export type MuteEnd = "expired" | "unmuted";

interface MutesOptions {
  /** "" = it has none. */
  readonly agentName: (agent: number) => string;
  /** It is over; who was muted by it may be muted by another one still. */
  readonly ended: (mute: Mute, how: MuteEnd, nowNs: number) => void;
}

export class Mutes {
  readonly #options: MutesOptions;
  /** By the text of their targets: one for each. */
  readonly #all = new Map<string, Mute>();
  /** Those of them that have a pattern, which is asked one after the other. */
  readonly #globs = new Map<string, Mute>();
  #nextNs = Number.POSITIVE_INFINITY;
  /** Mutes that began or ended. */
  changes = 0;

  constructor(options: MutesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Those that hold, the one that ends first before the others. */
  list(): readonly Mute[] {
    return [...this.#all.values()].sort((a, b) => a.untilNs - b.untilNs);
  }

  /** True if there is room for one of `target`. */
  hasRoomFor(target: MuteTarget): boolean {
    return this.#all.size < MUTES_MAX || this.#all.has(targetText(target));
  }

  /** Begins a mute; it takes the place of an older one of the same target. */
  begin(mute: Mute): void {
    const text = targetText(mute.target);
    assert(this.hasRoomFor(mute.target), "a mute has room");
    assert(mute.untilNs > mute.beganNs, "a mute has an end");
    assert(mute.untilNs - mute.beganNs <= MUTE_NS_MAX, "a mute ends within the bound");
    this.#all.set(text, mute);
    this.changes += 1;
    if (mute.target.kind === "glob") this.#globs.set(text, mute);
    this.#plan();
  }

  /** Ends those of `target`; of `all` every one. What ended. */
  end(target: MuteTarget, nowNs: number): readonly Mute[] {
    const one = this.#all.get(targetText(target));
    const ending = target.kind === "all" ? this.list() : one === undefined ? [] : [one];
    for (const mute of ending) this.#end(mute, "unmuted", nowNs);
    return ending;
  }

  /** The mute of a member that holds for longest; undefined = it is not muted. */
  muteOf({ agent, key, generation }: Mutable, nowNs: number): Mute | undefined {
    if (this.#all.size === 0) return undefined;
    const ofAgent = this.muteOfName(this.#options.agentName(agent), nowNs);
    return longest(this.muteOfMember(key, generation, nowNs), ofAgent, nowNs);
  }

  /** That of the process alone. */
  muteOfMember(key: number, generation: number, nowNs: number): Mute | undefined {
    if (this.#all.size === 0) return undefined;
    const own = this.#all.get(memberText(key));
    const isOwn = own?.target.kind === "member" && isSameProcess(own.target, generation);
    return longest(isOwn ? own : undefined, undefined, nowNs);
  }

  /** The same of an agent and all its members; "" = it has no name yet. */
  muteOfName(name: string, nowNs: number): Mute | undefined {
    let found = longest(this.#all.get(ALL_TEXT), undefined, nowNs);
    if (name === "") return found;
    found = longest(this.#all.get(agentText(name)), found, nowNs);
    for (const mute of this.#globs.values())
      if (mute.target.kind === "glob" && matchesGlob(mute.target.glob, name))
        found = longest(mute, found, nowNs);
    return found;
  }

  nextDeadlineNs(): number {
    return this.#nextNs;
  }

  /** Ends those whose time is over. */
  maintain(nowNs: number): void {
    if (nowNs < this.#nextNs) return;
    for (const mute of this.list()) {
      if (mute.untilNs > nowNs) return;
      this.#end(mute, "expired", nowNs);
    }
  }

  #end(mute: Mute, how: MuteEnd, nowNs: number): void {
    const text = targetText(mute.target);
    this.#all.delete(text);
    this.#globs.delete(text);
    this.changes += 1;
    this.#plan();
    this.#options.ended(mute, how, nowNs);
  }

  #plan(): void {
    this.#nextNs = Number.POSITIVE_INFINITY;
    for (const { untilNs } of this.#all.values()) this.#nextNs = Math.min(this.#nextNs, untilNs);
  }
}

/** What is muted, as it is listed: the name, the pattern, "*", or the agent and the pid. */
export function mutedText(target: MuteTarget): string {
  switch (target.kind) {
    case "agent":
      return target.name;
    case "glob":
      return target.glob;
    case "all":
      return "*";
    case "member":
      return target.name === "" ? `pid ${target.pid}` : `${target.name} pid ${target.pid}`;
    default:
      return target satisfies never;
  }
}

/** Whether it is about the member of `key` of the agent of `name`. */
export function isAbout(target: MuteTarget, name: string, key: number): boolean {
  if (target.kind === "member") return target.key === key;
  if (target.kind === "glob") return matchesGlob(target.glob, name);
  return target.kind === "all" || target.name === name;
}

/** Whether somebody has called what is muted so: its name, its pattern, "*", or its pid. */
export function isMutedAs(target: MuteTarget, text: string): boolean {
  switch (target.kind) {
    case "agent":
      return target.name === text;
    case "glob":
      return target.glob === text;
    case "member":
      return String(target.pid) === text;
    case "all":
      return text === "*";
    default:
      return target satisfies never;
  }
}

/** Of two mutes the one that holds for longer than the other, and than `nowNs`. */
function longest(a: Mute | undefined, b: Mute | undefined, nowNs: number): Mute | undefined {
  if (a === undefined || a.untilNs <= nowNs) return b;
  return b === undefined || a.untilNs > b.untilNs ? a : b;
}

/** One that cannot be identified is known by its key alone. */
function isSameProcess(target: MutedMember, generation: number): boolean {
  return target.generation === generation || Number.isNaN(target.generation);
}

const ALL_TEXT = "all";

function targetText(target: MuteTarget): string {
  if (target.kind === "member") return memberText(target.key);
  if (target.kind === "all") return ALL_TEXT;
  return target.kind === "agent" ? agentText(target.name) : `glob ${target.glob}`;
}

function agentText(name: string): string {
  return `agent ${name}`;
}

function memberText(key: number): string {
  return `member ${key}`;
}
