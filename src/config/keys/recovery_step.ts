// One step of a recovery as varta.toml has it: a table with exactly one of four keys (spec 10
// section 1). Each of them is a row, and from the rows come the check, the type and the text of a
// step.
import type { StepKind } from "../../events/step_kind.ts";
import type { Fault, Path } from "../problems/fault.ts";
import { hiddenRemark } from "../problems/found.ts";
import { nearest } from "../problems/suggestion.ts";
import { type Form, itemFault, tableOf, valueFault } from "./form.ts";
import { duration, text, word } from "./forms.ts";
import { command } from "./list_forms.ts";
import type { Key } from "./key.ts";

/**
 * Signals that an agent may be sent: those that end it, dump it, wake it, or mean something to it.
 */
const SIGNAL_NAMES = [
  "SIGTERM",
  "SIGKILL",
  "SIGABRT",
  "SIGQUIT",
  "SIGINT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGCONT",
] as const;

const RECOVERY_STEPS_MAX = 16;

/**
 * A service unit of systemd, or "auto". Other kinds of units cannot be restarted sensibly, and a
 * name that begins with a dash would be an option.
 */
const UNIT_PATTERN = /^(auto|[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,246}\.service)$/;

export const STEP_KEYS = {
  signal: row("signal", word(SIGNAL_NAMES), "Signal to the agent itself"),
  wait: row(
    "waitNs",
    duration({ minMs: 1, maxMs: 3_600_000, zeroWould: "wait for nothing" }),
    "Time in which a beat ends the recovery",
  ),
  exec: row("command", command, "Program and arguments to run"),
  restart_unit: row(
    "unit",
    text('"auto" or the name of a service unit, such as "app.service"', UNIT_PATTERN),
    "Service unit to restart",
  ),
} satisfies Readonly<Record<StepKind, object>>;

function row<const Field extends string, Value>(field: Field, form: Form<Value>, help: string) {
  return { field, form, help };
}

type StepKeys = typeof STEP_KEYS;
type Value<K extends keyof StepKeys> = StepKeys[K]["form"] extends Form<infer V> ? V : never;

/** A checked step has exactly one of the keys. */
type CheckedStep = { readonly [K in keyof StepKeys]?: Value<K> };

/** A step by the name of its key; the unit "auto" is the one that the agent runs in. */
export type RecoveryStep = {
  [K in keyof StepKeys]: { readonly kind: K } & { readonly [F in StepKeys[K]["field"]]: Value<K> };
}[keyof StepKeys];

export const steps: Form<CheckedStep[], readonly RecoveryStep[]> = {
  name: "steps",
  kind: "array",
  want: `1 to ${RECOVERY_STEPS_MAX} tables, each headed by [[recovery.step]]`,
  takes: `1 to ${RECOVERY_STEPS_MAX} tables [[recovery.step]]`,
  json: {
    minItems: 1,
    maxItems: RECOVERY_STEPS_MAX,
    type: "array",
    items: {
      type: "object",
      properties: Object.fromEntries(
        Object.entries(STEP_KEYS).map(([name, { form, help }]) => [
          name,
          { description: help, ...form.json },
        ]),
      ),
      additionalProperties: false,
    },
  },
  check(value, path, faults) {
    if (!Array.isArray(value) || value.length === 0 || value.length > RECOVERY_STEPS_MAX) {
      faults.push(valueFault(steps, value, path));
      return undefined;
    }
    const faultsBefore = faults.length;
    const checked = value.map((item, index) => checkedStep(item, [...path, index], faults));
    return faults.length > faultsBefore ? undefined : checked;
  },
  resolved: (checked) => checked.map(resolvedStep),
  shown: (resolved) => resolved.map(shownStep),
};

const STEP_WANT = "exactly one of signal, wait, exec and restart_unit";

function checkedStep(item: unknown, path: Path, faults: Fault[]): CheckedStep {
  const table = tableOf(item);
  if (table === undefined) {
    faults.push(itemFault({ kind: "table", want: STEP_WANT }, item, path));
    return {};
  }
  const step: Record<string, unknown> = {};
  const names = Object.keys(table).filter((name) => Object.hasOwn(STEP_KEYS, name));
  for (const name of names) {
    step[name] = formOf(name).check(table[name], [...path, name], faults);
  }
  const unknown = Object.keys(table).filter((name) => !Object.hasOwn(STEP_KEYS, name));
  for (const name of unknown) faults.push(unknownKeyFault(name, [...path, name]));
  // A table with an unknown key lacks nothing but the right spelling.
  if (names.length !== 1 && unknown.length === 0) {
    const found = names.length === 0 ? "none of them" : names.join(" and ");
    faults.push({ path, anchor: "value", found, want: STEP_WANT });
  }
  return step;
}

function unknownKeyFault(name: string, path: Path): Fault {
  const found = `an unknown key${hiddenRemark(name)}`;
  const suggestion = nearest(name, Object.keys(STEP_KEYS));
  return { path, anchor: "key", found, want: STEP_WANT, suggestion };
}

function resolvedStep(step: CheckedStep): RecoveryStep {
  const [kind, value] = Object.entries(step)[0]!;
  return { kind, [STEP_KEYS[kind as keyof StepKeys].field]: value } as unknown as RecoveryStep;
}

function shownStep({ kind, ...fields }: RecoveryStep): { [name: string]: string | string[] } {
  const value: unknown = Object.values(fields)[0];
  return { [kind]: (formOf(kind).shown?.(value) ?? value) as string | string[] };
}

function formOf(name: string): Key["form"] {
  return STEP_KEYS[name as keyof StepKeys].form;
}
