// "varta-watch log-level": another level of the log for a time (spec 16 section 10).
import { LOG_LEVELS } from "../base/log_level.ts";
import { durationTextFromNs } from "../base/duration_text.ts";
import { alternatives, quoted } from "../config/problems/found.ts";
import type { LogLevelAnswer } from "../view/act_views.ts";
import { actOn, wrongUse } from "./asking.ts";
import { type Invocation, ownNumber } from "./invocation.ts";
import { logLevelScreen } from "./screens/acts.ts";

export async function run(invocation: Invocation): Promise<number> {
  const [level] = invocation.operands;
  if (level === undefined || !LOG_LEVELS.some((one) => one === level)) {
    const found = level === undefined ? "no level" : `the level ${quoted(level)}`;
    return wrongUse(`found ${found}; want ${alternatives(LOG_LEVELS)}`, hintFor("debug"));
  }
  const forNs = ownNumber(invocation, "for");
  if (forNs === undefined) return wrongUse("a level needs an end", hintFor(level));
  const request = { do: "log_level", level, for: durationTextFromNs(forNs) };
  return actOn<LogLevelAnswer>(invocation, request, (view, screen) =>
    logLevelScreen(view, new Date().toISOString(), screen),
  );
}

function hintFor(level: string): string {
  return `varta-watch log-level ${level} --for 10m`;
}
