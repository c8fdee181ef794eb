// The shells that there is a completion script for, and what they can complete: the words between
// the tables that it is gathered from and the scripts that it is put into.

export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

export function isShell(word: string): word is Shell {
  return SHELLS.some((shell) => shell === word);
}

/** What may stand in a place of the command line. */
export type Completable =
  | { readonly is: "nothing" | "file" | "agent" }
  | { readonly is: "words"; readonly words: readonly string[] };

export interface CompletedOption {
  /** Without dashes. */
  readonly name: string;
  readonly short: string | undefined;
  readonly help: string;
  /** The word for the value and what it may be; undefined = a flag. */
  readonly value: { readonly name: string; readonly may: Completable } | undefined;
  readonly repeats: boolean;
}

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** What the first word after the command may be, and what every further one. */
  readonly firstOperand: Completable;
  readonly nextOperand: Completable;
}
