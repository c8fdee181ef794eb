// What a member has said of itself by sd_notify(3), as it is shown (spec 20 section 3): untrusted
// text, with everything that a terminal obeys written out.
import { escapeUnprintable } from "../base/unprintable.ts";
import type { SaidWords } from "../tracker/said_words.ts";

export interface SaidView {
  /** Its last STATUS=; "" = none. */
  readonly text: string;
  readonly reloading: boolean;
  /** Its last ERRNO=; 0 = none. */
  readonly errno: number;
  /** It has asked to be judged at once (WATCHDOG=trigger), and not beaten since. */
  readonly triggered: boolean;
}

/** Null = nothing that is worth a word. */
export function saidView(words: SaidWords | undefined): SaidView | null {
  if (words === undefined) return null;
  const { status, isReloading: reloading, errno, hasTriggered: triggered } = words;
  if (status === "" && !reloading && errno === 0 && !triggered) return null;
  return { text: escapeUnprintable(status), reloading, errno, triggered };
}

/** `"382 requests", reloading, error 13`: what a person reads of it. */
export function saidText({ text, reloading, errno, triggered }: SaidView): string {
  const parts = [
    ...(text === "" ? [] : [`"${text}"`]),
    ...(reloading ? ["reloading"] : []),
    ...(errno === 0 ? [] : [`error ${errno}`]),
    ...(triggered ? ["WATCHDOG=trigger"] : []),
  ];
  return parts.join(", ");
}
