// What is counted of a stream listener beside the families of every listener (spec 05 section
// 10.3).
import { blockPer, type CountersOf, counter, gauge } from "../base/counters.ts";
import { CLOSE_REASONS } from "./stream_close.ts";

export const STREAM = blockPer(["listener"], {
  closed: counter(
    "varta_stream_closed_total",
    "Connections of a unix-stream listener that were closed, by reason.",
    { label: "reason", values: CLOSE_REASONS },
  ),
  connections: gauge("varta_stream_connections", "Connections of a unix-stream listener.", {
    ask: ({ count }: { readonly count: number }) => count,
  }),
});

export type StreamCounters = CountersOf<typeof STREAM>;
