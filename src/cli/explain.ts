// "varta-watch explain": why an agent or a process is as it is (spec 16 section 12). --json prints
// the answer as it came.
import type { ExplainView, StrangerView } from "../view/explain_view.ts";
import { notAnswered, pathOf, wrongUse } from "./asking.ts";
import { ask } from "./control_client.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { print } from "./output.ts";
import { explainScreen } from "./screens/explain.ts";
import { jsonLine } from "./screens/plain.ts";
import { strangerScreen } from "./screens/stranger.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_OK = 0;
/** It has never beaten: nothing watches it. */
const EXIT_STRANGER = 1;

export async function run(invocation: Invocation): Promise<number> {
  const target = invocation.operands[0];
  if (target === undefined)
    return wrongUse(
      "found no agent and no pid; want it as in: explain worker",
      "varta-watch status",
    );
  const screen = thisScreen(invocation);
  const answer = ask(pathOf(invocation), { do: "explain", target }, { screen });
  if (!answer.ok) return notAnswered(answer, invocation);
  const view = JSON.parse(answer.lines[0]!) as ExplainView | StrangerView;
  const isStranger = "runs" in view;
  if (ownFlag(invocation, "json")) print(jsonLine(view));
  else print(isStranger ? strangerScreen(view, screen) : explainScreen(view, screen));
  return isStranger ? EXIT_STRANGER : EXIT_OK;
}
