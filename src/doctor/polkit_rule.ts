// Which units plans restart, and the rule of polkit that lets the daemon do it.
import { escapeUnprintable } from "../base/unprintable.ts";
import type { Config } from "../config/config.ts";
import type { SeenDaemon } from "./place.ts";
import { agentsOf, plansOf, stepsOf } from "./plans.ts";

interface RestartedUnits {
  readonly plan: string;
  readonly units: readonly string[];
}

/** Those that steps name; of "auto" the units of the members that beat now. */
export function restartedUnits(config: Config, daemon: SeenDaemon | undefined): RestartedUnits[] {
  return plansOf(config).flatMap(([plan, settings]) => {
    const named = stepsOf(settings, "restart_unit").map(({ unit }) => unit);
    const own = named.includes("auto")
      ? agentsOf(daemon, plan).flatMap(({ members }) =>
          members.flatMap(({ unit, source }) =>
            source === null && /^[^:]+\.service$/.test(unit) ? [unit] : [],
          ),
        )
      : [];
    const units = [...new Set([...named.filter((unit) => unit !== "auto"), ...own])].sort();
    return units.length === 0 ? [] : [{ plan, units }];
  });
}

/** The text of the rule, for the units alone. */
export function polkitRule(units: readonly string[], user: string): string {
  const list = [...new Set(units)].sort().map(quoted);
  return `// Lets ${escapeUnprintable(user)} have these units restarted, and nothing else. Keep the list as short as it can be: a user
// who can make varta-watch believe in a stall restarts what is listed here.
var RESTARTED = [${list.join(", ")}];

polkit.addRule(function (action, subject) {
  if (action.id !== "org.freedesktop.systemd1.manage-units" || subject.user !== ${quoted(user)}) return undefined;
  if (action.lookup("verb") !== "restart" || RESTARTED.indexOf(action.lookup("unit")) < 0) return undefined;
  return polkit.Result.YES;
});
`;
}

/** As JSON, which the rule is a text of, with nothing that a terminal obeys. */
function quoted(text: string): string {
  return escapeUnprintable(JSON.stringify(text));
}
