// The keys of [[agent]]: which members a rule takes, their name and their policy (spec 07 section
// 2.12, spec 15).

// biome-ignore-all format: a table reads best with a row in few lines
import { END_POLICY_DEFAULT, ON_EXITS } from "../../agents/ends.ts";
import { NO_PLAN } from "../../agents/rules.ts";
import { AGENT_NAME_PLACEHOLDERS } from "../../base/placeholders.ts";
import { THRESHOLD_NS_MIN, TRACKER_CAPACITY_MAX } from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import { announce } from "./announce_form.ts";
import { duration, integer, text, word } from "./forms.ts";
import { integers } from "./list_forms.ts";
import { live } from "./key.ts";
import { match } from "./match_form.ts";
import { PLAN_NAME } from "./plan_keys.ts";

/** Rules are tried in order for each new member: a few microseconds for so many. */
export const AGENT_RULES_MAX = 1_000;

const NAME_BYTES_MAX = 64;
const EXIT_STATUSES_MAX = 64;
const EXIT_STATUS_MAX = 255;

/** What a name may hold beside placeholders. */
const NAME_TEXT = /^[A-Za-z0-9_.@:-]*$/;
/** Also one that is not known: that has better words. */
export const NAME_PLACEHOLDER = /\{([A-Za-z][A-Za-z0-9_-]*)\}/g;

/** A name that messages may call the agent by: one that is the same for all its members. */
export const AGENT_LABEL = /^(?![0-9]+$)[A-Za-z0-9_.@:-]{1,64}$/;

/** True if the name is the same for every member that its rule takes. */
export function isFixedName(name: string): boolean {
  return !name.includes("{");
}

const NAME_WANT =
  `1 to ${NAME_BYTES_MAX} characters from A-Z, a-z, 0-9, "_", ".", "@", ":" and "-", not digits alone, ` +
  "and placeholders such as {unit}";

function isName(name: string): boolean {
  const rest = name.replaceAll(NAME_PLACEHOLDER, "");
  const fits = name !== "" && rest.length <= NAME_BYTES_MAX && NAME_TEXT.test(rest);
  return fits && !/^[0-9]+$/.test(name);
}

export const AGENT_KEYS = {
  match: live("match", match, "Which members it is for: each glob has to match", { required: true }),
  name: live("name", text(NAME_WANT, isName),
    `Name of the agent, with placeholders ${AGENT_NAME_PLACEHOLDERS.map((one) => `{${one}}`).join(" ")}; else its unit, container, script or command`),
  announce: live("announce", announce,
    "Whether its members may name themselves, or globs of the names that they may take",
    { absent: false }),
  threshold: live("thresholdNs", duration({ minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "report every member as stalled for ever" }),
    "Silence after which a member has stalled", { computed: "observer.threshold" }),
  threshold_min: live("thresholdMinNs", duration({ minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "report every member as stalled for ever" }),
    "Shortest threshold that a member may ask for; not set: its threshold"),
  threshold_max: live("thresholdMaxNs", duration({ minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "report every member as stalled for ever" }),
    "Longest threshold that a member may ask for; not set: its threshold"),
  late: live("lateNs", duration({ minMs: THRESHOLD_NS_MIN / NS_PER_MS,
      zeroWould: "call every member late", offBy: "no such key: then no member is late" }),
    "Silence that is shown and counted, and never recovered"),
  grace: live("graceNs", duration({ minMs: 0 }), "Time for which a new member is not judged",
    { byDefault: "0ms" }),
  on_exit: live("onExit", word(ON_EXITS),
    "How the end of a member is taken", { byDefault: END_POLICY_DEFAULT.onExit }),
  clean_exit: live("cleanExit", integers({ min: 0, max: EXIT_STATUS_MAX, countMax: EXIT_STATUSES_MAX },
      "exit statuses"),
    "Exit statuses that are clean, too", { absent: [] }),
  expect: live("expect", integer({ min: 1, max: TRACKER_CAPACITY_MAX,
      zeroWould: "expect no member", offBy: "no such key: then none is missed" }),
    "Members that have to beat, else the agent is missing", { unit: "members" }),
  recovery: live("recovery", text(`the name of a [[recovery.plan]], or "${NO_PLAN}"`, PLAN_NAME),
    `Plan for its members, or "${NO_PLAN}"; else [recovery] itself`),
};
