// `npm run metrics`: writes docs/metrics.md from the rows that declare the metrics. The page is
// committed, and a test fails when it is stale.
import { writeFileSync } from "node:fs";
import { metricsPage } from "./reference/metrics_page.ts";

writeFileSync(new URL("../docs/metrics.md", import.meta.url), metricsPage());
