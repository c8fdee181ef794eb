// The blocks of counters that the metrics page has, in its order (spec 08 section 1).
import type { PlacedBlock } from "../metrics/exposition.ts";
import { TRACKER } from "../tracker/counters.ts";

export const METRIC_BLOCKS: readonly PlacedBlock[] = [
  { before: "varta_pid_max_current", block: TRACKER },
];
