// "varta-watch mutes": who is muted, until when and why.
import type { MutesView } from "../view/act_views.ts";
import { actOn } from "./act.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { mutesScreen } from "./screens/acts.ts";
import { plainMutes } from "./screens/plain.ts";

export async function run(invocation: Invocation): Promise<number> {
  const isForPeople = ownFlag(invocation, "human") || process.stdout.isTTY === true;
  const isPlain = ownFlag(invocation, "plain") || !isForPeople;
  return actOn<MutesView>(invocation, { do: "mutes" }, (view, screen) =>
    isPlain ? plainMutes(view) : mutesScreen(view, screen),
  );
}
