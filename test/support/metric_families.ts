// Every family of the metrics page, in its order.
import { familiesOf } from "../../src/base/counters.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { FAMILIES as CATALOGUE } from "../../src/metrics/catalogue.ts";

export const FAMILIES = CATALOGUE.flatMap((family) => [
  ...METRIC_BLOCKS.filter(({ before }) => before === family.name)
    .flatMap(({ block }) => familiesOf(block))
    .filter(({ name }) => name !== ""),
  family,
]);
