// What the page says of the turns of the loop (spec 12 section 1): how long each took, and which of
// its stages.
import { block, counter, histogram } from "../base/counters.ts";

export const TURN = block({
  seconds: histogram(
    "varta_observer_iteration_seconds",
    "Work time of a turn of the loop, without the wait.",
  ),
  budgetExceeded: counter(
    "varta_observer_iteration_budget_exceeded_total",
    "Turns over liveness.iteration_budget.",
  ),
  servePending: histogram(
    "varta_observer_serve_pending_seconds",
    "Time of the serve stage of a turn.",
  ),
  stage: histogram("varta_observer_stage_seconds", "Time of each stage of a turn.", {
    label: "stage",
    values: ["receive", "judge", "recover", "reap", "maintain", "serve"],
  }),
});
