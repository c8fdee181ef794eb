// "varta-watch forget": what is stalled leaves the table (spec 16 section 10).
import type { ForgetAnswer } from "../view/act_views.ts";
import { actOn, wrongUse } from "./asking.ts";
import type { Invocation } from "./invocation.ts";
import { forgetScreen } from "./screens/acts.ts";

export async function run(invocation: Invocation): Promise<number> {
  const [target] = invocation.operands;
  if (target === undefined)
    return wrongUse("found no agent and no pid; want one of them", "varta-watch help forget");
  return actOn<ForgetAnswer>(invocation, { do: "forget", target }, forgetScreen);
}
