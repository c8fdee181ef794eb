// The recovery command as a template: an argv array whose items, all but the first, may hold
// placeholders (spec 10 section 1). Expansion is one pass over the template, so a value is never
// searched for placeholders again, and the result goes to exec as it is: there is no shell
// anywhere, so nothing has to be quoted.
import { originText } from "../base/origin.ts";
import { PLACEHOLDERS } from "../base/placeholders.ts";
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_MS } from "../base/time.ts";
import { u64Text } from "../base/u64.ts";
import type { Stall } from "../events/stall.ts";
import { statusText } from "../wire/frame.ts";

/** What the values need beside the stall. */
export interface PlaceholderContext {
  readonly nowNs: number;
  readonly listenerNames: readonly string[];
  /** "" = it has none. */
  readonly agentName: string;
  /**
   * Which process it was is not known, and no process has its pid any more: there is none to name.
   */
  readonly isPidGone: boolean;
  /** Unix time in milliseconds of observer time 0. */
  readonly unixMsAtStart: number;
}

/** The texts for one stall, indexed like `PLACEHOLDERS`; what is unknown is empty. */
export function placeholderValues(stall: Stall, context: PlaceholderContext): readonly string[] {
  const silenceNs = saturatingSub(context.nowNs, stall.lastNs);
  return [
    context.isPidGone ? "" : String(stall.pid),
    statusText(stall.status),
    String(stall.payload),
    context.listenerNames[stall.listener] ?? "",
    u64Text(stall.lastNonceHi, stall.lastNonceLo),
    String(Math.floor(silenceNs / NS_PER_MS)),
    String(Math.floor(context.unixMsAtStart + stall.lastNs / NS_PER_MS)),
    String(Math.floor(stall.thresholdNs / NS_PER_MS)),
    originText(stall.origin),
    numberOrEmpty(stall.generation),
    // 0 is a foreign namespace whose inode is hidden: there is no number to give.
    stall.namespaceInode === 0 ? "" : numberOrEmpty(stall.namespaceInode),
    argumentOf(context.agentName),
    stall.verdict?.verdict ?? "",
  ];
}

/** A program may call itself "--help": as an argument its name must not be an option. */
function argumentOf(name: string): string {
  return name.startsWith("-") ? `%2D${name.slice(1)}` : name;
}

export class ArgvTemplate {
  /** argv[0], used verbatim. */
  readonly program: string;
  /** Bytes of the template joined by one space: the audit log has its length, never its text. */
  readonly sizeBytes: number;
  /** True if the pid is among the arguments. */
  readonly namesPid: boolean;
  readonly #items: readonly TemplateItem[];
  readonly #appendPid: boolean;

  /** `command` has at least one item; the first is not empty. */
  constructor(command: readonly string[], appendPid: boolean) {
    this.program = command[0]!;
    this.sizeBytes = Buffer.byteLength(command.join(" "));
    this.#items = command.slice(1).map(parseItem);
    this.#appendPid = appendPid;
    this.namesPid = appendPid || this.#items.some(({ words }) => words.includes(PID_WORD));
  }

  /** The argv for one spawn; `values` are those of `placeholderValues()`. */
  expand(values: readonly string[]): string[] {
    const argv = [this.program];
    for (const item of this.#items) argv.push(expandItem(item, values));
    if (this.#appendPid) argv.push(values[PID_WORD]!);
    return argv;
  }
}

/** literals[0] value[words[0]] literals[1] value[words[1]] ... literals[last] */
interface TemplateItem {
  readonly literals: readonly string[];
  readonly words: readonly number[];
}

const PID_WORD = PLACEHOLDERS.indexOf("pid");
const WORD = new RegExp(`\\{(${PLACEHOLDERS.join("|")})\\}`);

function parseItem(item: string): TemplateItem {
  // Splitting at a pattern with one group gives literals and words in turn.
  const parts = item.split(WORD);
  return {
    literals: parts.filter((_, index) => index % 2 === 0),
    words: parts
      .filter((_, index) => index % 2 === 1)
      .map((word) => (PLACEHOLDERS as readonly string[]).indexOf(word)),
  };
}

function expandItem(item: TemplateItem, values: readonly string[]): string {
  let text = item.literals[0]!;
  for (let index = 0; index < item.words.length; index++) {
    text += values[item.words[index]!]! + item.literals[index + 1]!;
  }
  return text;
}

function numberOrEmpty(value: number): string {
  return Number.isNaN(value) ? "" : String(value);
}
