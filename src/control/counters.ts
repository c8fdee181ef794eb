// What the control socket counts (spec 16 sections 3 and 5).
import { block, type CountersOf, counter, gauge } from "../base/counters.ts";
import { REFUSALS } from "./request.ts";

/** Beside the refusals that are answered. */
const CLOSED_REASONS = ["unread", "idle"] as const;

export const CONTROL = block({
  requests: counter("varta_control_requests_total", "Requests that the control socket answered."),
  refused: counter(
    "varta_control_refused_total",
    "Requests and connections that the control socket refused or gave up, by reason.",
    { label: "reason", values: [...REFUSALS, ...CLOSED_REASONS] },
  ),
  connections: gauge("varta_control_connections", "Connections of the control socket.", {
    ask: (server: { readonly connections: number }) => server.connections,
  }),
});

export type ControlCounters = CountersOf<typeof CONTROL>;
export type RefusedReason = keyof typeof CONTROL.refused;
