// "varta-watch mutes": who is muted, until when and why.
import type { MutesView } from "../view/act_views.ts";
import { actOn } from "./asking.ts";
import type { Invocation } from "./invocation.ts";
import { mutesScreen } from "./screens/acts.ts";
import { plainMutes } from "./screens/plain.ts";
import { isForPeople } from "./this_screen.ts";

export async function run(invocation: Invocation): Promise<number> {
  return actOn<MutesView>(invocation, { do: "mutes" }, (view, screen) =>
    isForPeople(invocation) ? mutesScreen(view, screen) : plainMutes(view),
  );
}
