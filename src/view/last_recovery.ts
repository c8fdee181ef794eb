// The last word of the plan of an agent, from what has happened to it lately.
import type { EventView, RecoveryEvent } from "./event_view.ts";
import type { RecoveryStatus } from "./status_view.ts";

/** `history` has the newest event first; undefined = it says nothing of a recovery that is over. */
export function lastRecovery(history: readonly EventView[]): RecoveryStatus | undefined {
  const all = history.flatMap(({ recovery }) => recovery ?? []);
  for (const event of all) {
    const state = wordOf(event);
    if (state === undefined) continue;
    const { id } = event;
    const own = all.filter((one) => one.id === id && id !== 0);
    const step = Math.max(0, ...own.map((one) => one.step ?? 0));
    const steps = Math.max(step, ...own.map((one) => one.steps ?? 0));
    return { id, state, step, steps };
  }
  return undefined;
}

function wordOf({ what, step, reason }: RecoveryEvent): RecoveryStatus["state"] | undefined {
  if (what === "helped" || what === "not_helped" || what === "interrupted") return what;
  if (what === "done" && step === undefined) return what;
  const isRefusal = what === "refused" || what === "held";
  return isRefusal && reason === "gave_up" ? "gave_up" : undefined;
}
