// What a check of `doctor` is (spec 19): facts that are gathered within bounds and change nothing,
// and a pure decision about them. A new check is a file in checks/ and a line in checks.ts.
import type { Place } from "./place.ts";

/** The worst first. */
export const SEVERITIES = ["fault", "warning", "advice"] as const;

export type Severity = (typeof SEVERITIES)[number];

/** A command that can be pasted, one to a line, or what is to be done in words. */
type Fix = { readonly run: readonly string[] } | { readonly words: string };

export interface Finding {
  readonly severity: Severity;
  /** What was found, as a sentence. */
  readonly found: string;
  /** What comes of it, as a sentence. */
  readonly effect: string;
  readonly fix: Fix;
}

/** The facts could not be gathered: what that needs, as in "they need root". */
interface LeftOut {
  readonly needs: string;
}

/** Nobody asked for it. */
export const NOT_ASKED = { notAsked: true } as const;

type Gathered<Facts extends object> = Facts | LeftOut | typeof NOT_ASKED;

interface CheckRow<Facts extends object> {
  /** For programs: "queue_length". */
  readonly name: string;
  /** What it holds against what, for the documentation. */
  readonly about: string;
  readonly gather: (place: Place) => Gathered<Facts> | Promise<Gathered<Facts>>;
  /** Undefined = there is nothing to do. */
  readonly decide: (facts: Facts) => Finding | undefined;
}

export type Result = { readonly check: string } & (
  | { readonly result: "passed" | "not_asked" }
  | { readonly result: "left_out"; readonly needs: string }
  | { readonly result: "found"; readonly finding: Finding }
);

export interface Check {
  readonly name: string;
  readonly about: string;
  readonly run: (place: Place) => Promise<Result>;
}

export function leftOut(needs: string): LeftOut {
  return { needs };
}

/** Of facts that only root may see, and which another user did not get. */
export const NEEDS_ROOT = leftOut("root");
export const NEEDS_DAEMON = leftOut("an answer of the daemon");
export const NEEDS_CONFIG = leftOut("a configuration that can be read and has no problems");

export function check<Facts extends object>(row: CheckRow<Facts>): Check {
  const { name, about, gather, decide } = row;
  return {
    name,
    about,
    run: async (place) => {
      const facts = await gather(place);
      if ("needs" in facts) return { check: name, result: "left_out", needs: facts.needs };
      if ("notAsked" in facts) return { check: name, result: "not_asked" };
      const finding = decide(facts as Facts);
      return finding === undefined
        ? { check: name, result: "passed" }
        : { check: name, result: "found", finding };
    },
  };
}
