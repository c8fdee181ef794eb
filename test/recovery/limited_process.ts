// A process of an unprivileged user that recovers on demand: for each line on stdin it decides one stall and says what came
// of it. Run by hostile_children.test.ts, which changes its limits in between.
import { ProcessRunner } from "../../src/recovery/child_runner.ts";
import { bench, stallOf } from "./harness.ts";

const { recovery, outcomes } = bench({
  runner: new ProcessRunner(),
  config: { command: ["/bin/true"], debounceNs: 0 },
});
console.log("ready");
let nowNs = 10e9;
for await (const _line of console) {
  recovery.decide(stallOf(), ++nowNs);
  const outcome = outcomes.at(-1)!;
  if (outcome.kind === "refused")
    console.log(`refused ${outcome.pid} ${outcome.reason}: ${outcome.error}`);
  else if (outcome.kind === "spawn") console.log(`spawn ${outcome.pid}`);
}
