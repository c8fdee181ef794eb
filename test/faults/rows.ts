// All rows of the fault table, in the order in which they run.
import type { FaultRow } from "./row.ts";
import { clockRows } from "./rows/clocks.ts";
import { fileRows } from "./rows/files.ts";
import { loadRows } from "./rows/loads.ts";
import { restartRows } from "./rows/restarts.ts";
import { stopRows } from "./rows/stops.ts";

export const FAULT_ROWS: readonly FaultRow[] = [
  ...stopRows,
  ...clockRows,
  ...restartRows,
  ...loadRows,
  ...fileRows,
];
