// The keys of [[recovery.plan]]: a name, and those keys of [recovery] that can differ from plan to
// plan (spec 07 section 2.12). What a plan does not set comes from [recovery], so none has a
// default of its own.
import { NO_PLAN } from "../../agents/rules.ts";
import { text } from "./forms.ts";
import { type Key, live } from "./key.ts";
import { RECOVERY_KEYS } from "./recovery_keys.ts";

export const PLAN_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;

export const PLANS_MAX = 256;

/** What counts over all plans, or is about the daemon. */
const NOT_PLANNED = [
  "kill_grace",
  "shutdown_grace",
  "storm_limit",
  "storm_window",
  "timeout",
] as const;

type PlannedKeys = Omit<typeof RECOVERY_KEYS, (typeof NOT_PLANNED)[number]>;

export const PLANNED_KEYS = Object.fromEntries(
  Object.entries<Key>(RECOVERY_KEYS)
    .filter(([name]) => !(NOT_PLANNED as readonly string[]).includes(name))
    .map(([name, { byDefault: _, ...key }]) => [name, { ...key, computed: `recovery.${name}` }]),
) as unknown as PlannedKeys;

const NAME_WANT =
  'a name of 1 to 32 characters from A-Z, a-z, 0-9, "_", "." and "-", the first a letter or digit, ' +
  `and not "${NO_PLAN}"`;

export const PLAN_KEYS = {
  name: live(
    "name",
    text(NAME_WANT, (name) => PLAN_NAME.test(name) && name !== NO_PLAN),
    "Name of the plan",
    {
      required: true,
    },
  ),
  ...PLANNED_KEYS,
};
