// What is counted of the files that the daemon writes for its whole life.
import { block, counter } from "../base/counters.ts";

export const FILES = block({
  reopened: counter(
    "varta_file_reopened_total",
    "Files that somebody else had moved or removed and that were begun anew, by file.",
    { label: "file", values: ["export", "audit", "fired", "heartbeat"] },
  ),
});
