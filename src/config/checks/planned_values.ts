// What a [[recovery.plan]] has in effect: its own values, and those of [recovery] for what it does
// not set (spec 07 section 2.12).
import type { PLANNED_KEYS } from "../keys/plan_keys.ts";
import type { CheckedDocument, CheckedRow } from "./check_document.ts";
import type { CheckedValues } from "../keys/key.ts";
import type { PLAN_KEYS } from "../keys/plan_keys.ts";

/** Keys that exclude each other: a plan with one of them has none of [recovery]. */
export const WHAT_IS_RUN = ["command", "command_file", "step"] as const;

type PlanRow = CheckedRow<typeof PLAN_KEYS>;

/** True if a table with the keys `given` says itself what is run. */
export function saysWhatIsRun(given: ReadonlySet<string>): boolean {
  return WHAT_IS_RUN.some((key) => given.has(key));
}

export function plannedValues(
  { tables }: CheckedDocument,
  { values, given }: PlanRow,
): CheckedValues<typeof PLANNED_KEYS> {
  const inherited: Record<string, unknown> = { ...tables.recovery.values };
  if (saysWhatIsRun(given)) for (const key of WHAT_IS_RUN) delete inherited[key];
  const { name: _, ...own } = values;
  return { ...inherited, ...own } as CheckedValues<typeof PLANNED_KEYS>;
}
