// "varta-watch mute": nothing of an agent is recovered until a time (spec 16 section 8).
import { durationTextFromNs } from "../base/duration_text.ts";
import { shellWord } from "../base/shell_word.ts";
import type { MuteAnswer } from "../view/act_views.ts";
import { actOn, whom, wrongUse } from "./asking.ts";
import { type Invocation, ownNumber, ownText } from "./invocation.ts";
import { muteScreen } from "./screens/acts.ts";

export async function run(invocation: Invocation): Promise<number> {
  const one = whom(invocation, "mute");
  if (typeof one === "number") return one;
  const forNs = ownNumber(invocation, "for");
  if (forNs === undefined) {
    const target = one["target"];
    const name = typeof target === "string" ? shellWord(target) : "--all";
    const hint = `varta-watch mute ${name} --for 30m --reason "deploy"`;
    return wrongUse("a mute needs an end", hint);
  }
  const reason = ownText(invocation, "reason");
  const request = { do: "mute", ...one, for: durationTextFromNs(forNs), reason };
  return actOn<MuteAnswer>(invocation, request, muteScreen);
}
