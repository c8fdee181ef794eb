// "varta-watch unmute": a mute ends now (spec 16 section 8.1).
import type { UnmuteAnswer } from "../view/act_views.ts";
import { actOn, whom } from "./asking.ts";
import type { Invocation } from "./invocation.ts";
import { unmuteScreen } from "./screens/acts.ts";

export async function run(invocation: Invocation): Promise<number> {
  const one = whom(invocation, "unmute");
  if (typeof one === "number") return one;
  return actOn<UnmuteAnswer>(invocation, { do: "unmute", ...one }, unmuteScreen);
}
