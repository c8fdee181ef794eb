// One step of a recovery as varta.toml has it: a table with exactly one of four keys (spec 10 section 1). Apart from
// schema.ts, because it is a table within a table, whose keys have words of their own.
import { z } from "zod";
import {
  commandSchema,
  commandTexts,
  durationSchema,
  durationTexts,
  type KeyTexts,
  key,
  wordsTexts,
} from "./schema_keys.ts";

/** Signals that an agent may be sent: those that end a process, dump it, wake it, or mean something to it. */
export const SIGNAL_NAMES = [
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
export type SignalName = (typeof SIGNAL_NAMES)[number];

export const RECOVERY_STEPS_MAX = 16;

/**
 * A service unit of systemd, or "auto". Other kinds of units cannot be restarted sensibly, and a name that begins with a
 * dash would be an option.
 */
const UNIT_PATTERN = /^(auto|[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,246}\.service)$/;

const WAIT = { minMs: 1, maxMs: 3_600_000, zeroWould: "wait for nothing" };

const STEP_WANT = "exactly one of signal, wait, exec and restart_unit";

export const stepShape = {
  signal: key(
    z.enum(SIGNAL_NAMES).optional(),
    "Signal to the agent itself",
    wordsTexts(SIGNAL_NAMES),
  ),
  wait: key(
    durationSchema(WAIT).optional(),
    "Time in which a beat ends the recovery",
    durationTexts(WAIT),
  ),
  exec: key(commandSchema.optional(), "Program and arguments to run", commandTexts()),
  restart_unit: key(z.string().regex(UNIT_PATTERN).optional(), "Service unit to restart", {
    kind: "string",
    want: '"auto" or the name of a service unit, such as "app.service"',
  }),
};

const stepSchema = z
  .strictObject(stepShape)
  .refine((step) => Object.values(step).filter((value) => value !== undefined).length === 1);

export type CheckedStep = z.output<typeof stepSchema>;

export const stepsKey = key(
  z.array(stepSchema).min(1).max(RECOVERY_STEPS_MAX).optional(),
  "Steps of a recovery, instead of one command",
  stepsTexts(),
);

function stepsTexts(): KeyTexts {
  return {
    kind: "array",
    want: `1 to ${RECOVERY_STEPS_MAX} tables, each headed by [[recovery.step]]`,
    item: { kind: "table", want: STEP_WANT, wantInstead: STEP_WANT, describe: stepFound },
    keys: stepShape,
  };
}

/** What a step with none or several of the keys has. */
function stepFound(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const names = Object.keys(value).filter((name) => name in stepShape);
  return names.length === 0 ? "none of them" : names.join(" and ");
}
