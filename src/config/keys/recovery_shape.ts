// The keys of [recovery] (spec 07 section 2.5, spec 10). One `command` is all that most people need; every key below
// `shutdown_grace` has a default that changes nothing.
import { z } from "zod";
import { stepsKey } from "./recovery_step.ts";
import {
  commandSchema,
  commandTexts,
  durationKeys,
  flagKey,
  integerKey,
  key,
  modeSchema,
  modeTexts,
  optionalDurationKeys,
  optionalIntegerKey,
  pathKey,
  secretPathKey,
  textSchema,
  wordKey,
} from "./schema_keys.ts";

const CAPTURE_BYTES_DEFAULT = 4_096;
const CAPTURE_BYTES_MAX = 1_048_576;
/** The start of each recovery within the window is remembered for each agent. */
const BUDGET_MAX = 1_000;
const STORM_LIMIT_MAX = 100_000;
const UNIT_GLOBS_MAX = 64;
/** A unit name with wildcards; only services have a unit that an agent runs in. */
const UNIT_GLOB = /^[A-Za-z0-9_*?][A-Za-z0-9:_.\\@*?-]{0,246}\.service$/;

export const recoveryShape = {
  command: key(
    commandSchema.optional(),
    "Program and arguments to run for a stalled process",
    commandTexts(),
  ),
  command_file: secretPathKey("Secret file that holds the command", "the command file"),
  append_pid: flagKey("Add the pid as last argument", false),
  ...durationKeys("debounce", "Shortest time between two recoveries of one process", "1s", {
    minMs: 0,
  }),
  env: key(
    z.record(z.string().regex(/^[^=\u0000]+$/), textSchema).default({}),
    "Environment variables of the command",
    {
      kind: "table",
      want: 'a table of strings, such as { LANG = "C.UTF-8" }',
      item: { kind: "string", want: "a string", secret: true },
    },
  ),
  inherit_env: flagKey("Give the command the whole environment of the daemon", false),
  ...optionalDurationKeys("timeout", "Run time after which the command is killed", {
    minMs: 100,
    zeroWould: "kill every command as it starts",
    offBy: "no such key: then a command is never killed",
  }),
  ...durationKeys("kill_grace", "Time from SIGTERM to SIGKILL", "2s", { minMs: 0, maxMs: 60_000 }),
  capture: flagKey("Keep the end of what the command prints", false),
  capture_bytes: integerKey(
    "Bytes kept of each output stream",
    {
      min: 1,
      max: CAPTURE_BYTES_MAX,
      zeroWould: "keep nothing",
      offBy: "capture = false",
    },
    CAPTURE_BYTES_DEFAULT,
  ),
  ...durationKeys("shutdown_grace", "Wait for running commands at exit", "5s", {
    minMs: 100,
    maxMs: 60_000,
    zeroWould: "abandon every running command at exit",
  }),
  step: stepsKey,
  restart_units: key(
    z.array(z.string().regex(UNIT_GLOB)).max(UNIT_GLOBS_MAX).default([]),
    'Units that restart_unit = "auto" may restart for any process in them',
    {
      kind: "array",
      want: `at most ${UNIT_GLOBS_MAX} names of service units, such as ["worker@*.service"]`,
      item: {
        kind: "string",
        want: 'the name of a service unit, in which * and ? are wildcards, such as "worker@*.service"',
      },
    },
  ),
  cwd: pathKey("Working directory of the command", "a directory"),
  umask: key(modeSchema.optional(), "File mode mask of the command, in octal", modeTexts),
  ...optionalDurationKeys("backoff_max", "Longest pause of a debounce that doubles", {
    minMs: 1_000,
    zeroWould: "be shorter than every debounce",
    offBy: "no such key: then the debounce never grows",
  }),
  ...durationKeys("backoff_reset", "Healthy time after which the back-off begins anew", "10m", {
    minMs: 1,
    zeroWould: "never let the back-off grow",
  }),
  budget: optionalIntegerKey("Recoveries of one agent per budget_window", {
    min: 1,
    max: BUDGET_MAX,
    zeroWould: "never recover anybody",
    offBy: "no such key: then there is no budget",
  }),
  ...durationKeys("budget_window", "Time over which a budget is counted", "1h", {
    minMs: 1_000,
    zeroWould: "count nothing",
  }),
  pace_by: wordKey("Whose recoveries back-off and budget count together", "process", [
    "process",
    "unit",
  ]),
  storm_limit: optionalIntegerKey("Recoveries of all agents together per storm_window", {
    min: 1,
    max: STORM_LIMIT_MAX,
    zeroWould: "never recover anybody",
    offBy: "no such key: then there is no limit",
  }),
  ...durationKeys("storm_window", "Time over which storm_limit is counted", "1m", {
    minMs: 1_000,
    zeroWould: "count nothing",
  }),
  ...optionalDurationKeys("verify_within", "Time for a beat to come back after a recovery", {
    minMs: 10,
    zeroWould: "call every recovery a failure",
    offBy: "no such key: then nobody looks",
  }),
  retry: flagKey("Recover an agent again while it stays silent", false),
  dry_run: flagKey("Decide and tell everything, but start and signal nothing", false),
};
