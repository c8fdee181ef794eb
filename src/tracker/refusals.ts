// Which refused beats are remembered with the slot of their pid, so that a stall can say them: a
// member that beats and is refused looks as silent as one that is dead. One count for each of these
// reasons since the last accepted beat (spec 03 section 4.5).
import * as reason from "../base/reject_reason.ts";
import type { RefusalCount } from "../events/stall.ts";

/** The reasons, in the order of the columns. */
const REFUSAL_REASONS: readonly number[] = [
  reason.REJECT_OUT_OF_ORDER,
  reason.REJECT_REPLAY,
  reason.REJECT_RATE_PER_PID,
  reason.REJECT_RATE_GLOBAL,
  reason.REJECT_UID,
  reason.REJECT_PID,
  reason.REJECT_CROSS_NAMESPACE,
  reason.REJECT_NAMESPACE_CONFLICT,
  reason.REJECT_ORIGIN_CONFLICT,
];

/** Columns of one slot. */
export const REFUSAL_COLUMNS = REFUSAL_REASONS.length;

/** Column by reject reason, -1 = none. */
export const REFUSAL_COLUMN: Int8Array = new Int8Array(reason.REJECT_REASON_COUNT).fill(-1);
for (const [column, rejected] of REFUSAL_REASONS.entries()) REFUSAL_COLUMN[rejected] = column;

/** The counts from `first` on that are not 0, the largest first. */
export function refusalCounts(counts: ArrayLike<number>, first: number): readonly RefusalCount[] {
  return REFUSAL_REASONS.map((rejected, column) => ({
    reason: reason.REJECT_REASONS[rejected]!,
    count: counts[first + column]!,
  }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
}
