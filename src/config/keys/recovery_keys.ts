// The keys of [recovery] (spec 07 section 2.5, spec 10). One `command` is all that most people
// need; every key below `shutdown_grace` has a default that changes nothing.
import {
  command,
  duration,
  flag,
  integer,
  list,
  mode,
  path,
  secretFile,
  textItem,
  variables,
  word,
} from "./forms.ts";
import { key } from "./key.ts";
import { steps } from "./recovery_step.ts";

const CAPTURE_BYTES_DEFAULT = 4_096;
const CAPTURE_BYTES_MAX = 1_048_576;
/** The start of each recovery within the window is remembered for each agent. */
const BUDGET_MAX = 1_000;
const STORM_LIMIT_MAX = 100_000;
const UNIT_GLOBS_MAX = 64;
/** A unit name with wildcards; only services have a unit that an agent runs in. */
const UNIT_GLOB = /^[A-Za-z0-9_*?][A-Za-z0-9:_.\\@*?-]{0,246}\.service$/;

export const RECOVERY_KEYS = {
  command: key("command", command, {
    help: "Program and arguments to run for a stalled process",
    reload: "live",
  }),
  command_file: key("commandSource", secretFile("command", "the command file"), {
    help: "Secret file that holds the command",
    reload: "live",
    absent: "inline",
    loads: "command",
  }),
  append_pid: key("appendPid", flag, {
    help: "Add the pid as last argument",
    reload: "live",
    byDefault: false,
  }),
  debounce: key("debounceNs", duration({ minMs: 0 }), {
    help: "Shortest time between two recoveries of one process",
    reload: "live",
    byDefault: "1s",
  }),
  env: key("env", variables, {
    help: "Environment variables of the command",
    reload: "live",
    byDefault: {},
  }),
  inherit_env: key("inheritEnv", flag, {
    help: "Give the command the whole environment of the daemon",
    reload: "live",
    byDefault: false,
  }),
  timeout: key(
    "timeoutNs",
    duration({
      minMs: 100,
      zeroWould: "kill every command as it starts",
      offBy: "no such key: then a command is never killed",
    }),
    { help: "Run time after which the command is killed", reload: "live" },
  ),
  kill_grace: key("killGraceNs", duration({ minMs: 0, maxMs: 60_000 }), {
    help: "Time from SIGTERM to SIGKILL",
    reload: "live",
    byDefault: "2s",
  }),
  capture: key("capture", flag, {
    help: "Keep the end of what the command prints",
    reload: "live",
    byDefault: false,
  }),
  capture_bytes: key(
    "captureBytes",
    integer({
      min: 1,
      max: CAPTURE_BYTES_MAX,
      zeroWould: "keep nothing",
      offBy: "capture = false",
    }),
    {
      help: "Bytes kept of each output stream",
      reload: "live",
      byDefault: CAPTURE_BYTES_DEFAULT,
      unit: "bytes",
    },
  ),
  shutdown_grace: key(
    "shutdownGraceNs",
    duration({ minMs: 100, maxMs: 60_000, zeroWould: "abandon every running command at exit" }),
    { help: "Wait for running commands at exit", reload: "live", byDefault: "5s" },
  ),
  step: key("steps", steps, {
    help: "Steps of a recovery, instead of one command",
    reload: "live",
    absent: [],
  }),
  restart_units: key(
    "restartUnits",
    list({
      want: `at most ${UNIT_GLOBS_MAX} names of service units, such as ["worker@*.service"]`,
      countMax: UNIT_GLOBS_MAX,
      item: textItem(
        'the name of a service unit, in which * and ? are wildcards, such as "worker@*.service"',
        UNIT_GLOB,
      ),
    }),
    {
      help: 'Units that restart_unit = "auto" may restart for any process in them',
      reload: "live",
      byDefault: [],
    },
  ),
  cwd: key("cwd", path("a directory"), {
    help: "Working directory of the command",
    reload: "live",
  }),
  umask: key("umask", mode, {
    help: "File mode mask of the command, in octal",
    reload: "live",
  }),
  backoff_max: key(
    "backoffMaxNs",
    duration({
      minMs: 1_000,
      zeroWould: "be shorter than every debounce",
      offBy: "no such key: then the debounce never grows",
    }),
    { help: "Longest pause of a debounce that doubles", reload: "live" },
  ),
  backoff_reset: key(
    "backoffResetNs",
    duration({ minMs: 1, zeroWould: "never let the back-off grow" }),
    {
      help: "Healthy time after which the back-off begins anew",
      reload: "live",
      byDefault: "10m",
    },
  ),
  budget: key(
    "budget",
    integer({
      min: 1,
      max: BUDGET_MAX,
      zeroWould: "never recover anybody",
      offBy: "no such key: then there is no budget",
    }),
    { help: "Recoveries of one agent per budget_window", reload: "live" },
  ),
  budget_window: key("budgetWindowNs", duration({ minMs: 1_000, zeroWould: "count nothing" }), {
    help: "Time over which a budget is counted",
    reload: "live",
    byDefault: "1h",
  }),
  pace_by: key("paceBy", word(["process", "unit"]), {
    help: "Whose recoveries back-off and budget count together",
    reload: "live",
    byDefault: "process",
  }),
  storm_limit: key(
    "stormLimit",
    integer({
      min: 1,
      max: STORM_LIMIT_MAX,
      zeroWould: "never recover anybody",
      offBy: "no such key: then there is no limit",
    }),
    { help: "Recoveries of all agents together per storm_window", reload: "live" },
  ),
  storm_window: key("stormWindowNs", duration({ minMs: 1_000, zeroWould: "count nothing" }), {
    help: "Time over which storm_limit is counted",
    reload: "live",
    byDefault: "1m",
  }),
  verify_within: key(
    "verifyWithinNs",
    duration({
      minMs: 10,
      zeroWould: "call every recovery a failure",
      offBy: "no such key: then nobody looks",
    }),
    { help: "Time for a beat to come back after a recovery", reload: "live" },
  ),
  retry: key("retry", flag, {
    help: "Recover an agent again while it stays silent",
    reload: "live",
    byDefault: false,
  }),
  dry_run: key("dryRun", flag, {
    help: "Decide and tell everything, but start and signal nothing",
    reload: "live",
    byDefault: false,
  }),
};
