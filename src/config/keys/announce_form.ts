// What a rule says of the names that its members announce (spec 15 section 8.2): true or false, or
// globs of those that they may take.
import type { Announce } from "../../agents/announcing.ts";
import { type Form, type Item, valueFault } from "./form.ts";
import { GLOB, globsOf, GLOBS_MAX } from "./match_form.ts";

/** Of what no name has, a glob would never match, and every member would be refused its name. */
const NAME_GLOB: Item<string> = {
  ...GLOB,
  want: 'a glob of letters, digits, "_", ".", "@", ":", "-", "*" and "?", such as "worker-*"',
  parse: (value) => (typeof value === "string" && /^[\w.@:*?-]+$/.test(value) ? value : undefined),
};

export const announce: Form<Announce> = {
  name: "announce",
  kind: "boolean",
  want: 'true, false, or an array of globs such as ["worker-*"]',
  takes: `true, false, or an array of 1 to ${GLOBS_MAX} globs`,
  json: {
    anyOf: [
      { type: "boolean" },
      { type: "array", items: GLOB.json, minItems: 1, maxItems: GLOBS_MAX },
    ],
  },
  check(value, path, faults) {
    if (typeof value === "boolean") return value;
    if (Array.isArray(value)) {
      const before = faults.length;
      const globs = globsOf(value, NAME_GLOB, path, faults);
      return faults.length > before ? undefined : globs;
    }
    faults.push(valueFault(announce, value, path));
    return undefined;
  },
};
