// Every family of the metrics page, in its order.
import { type Family, familiesOf } from "../../src/base/counters.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";

export const FAMILIES: readonly Family[] = METRIC_BLOCKS.flatMap(familiesOf).filter(
  ({ name }) => name !== "",
);
