// The keys of [recovery] (spec 07 section 2.5, spec 10). One `command` is all that most people
// need; every key below `shutdown_grace` has a default that changes nothing.

// biome-ignore-all format: a table reads best with a row in few lines
import { STALL_VERDICTS } from "../../events/stall_verdict.ts";
import { duration, flag, integer, mode, path, secretFile, textItem, word } from "./forms.ts";
import { command, list, variables, words } from "./list_forms.ts";
import { live } from "./key.ts";
import { steps } from "./recovery_step.ts";

/** What a debugger or an administrator holds is not recovered unless that is asked for. */
export const WHEN_DEFAULT = STALL_VERDICTS.filter((one) => one !== "traced" && one !== "frozen");

const CAPTURE_BYTES_DEFAULT = 4_096;
const CAPTURE_BYTES_MAX = 1_048_576;
/** The start of each recovery within the window is remembered for each agent. */
const BUDGET_MAX = 1_000;
/** As many as a machine of ordinary size has agents: more than that at once is no agent's fault. */
export const STORM_LIMIT_DEFAULT = 50;
const STORM_LIMIT_MAX = 100_000;
const UNIT_GLOBS_MAX = 64;
/** A unit name with wildcards; only services have a unit that an agent runs in. */
const UNIT_GLOB = /^[A-Za-z0-9_*?][A-Za-z0-9:_.\\@*?-]{0,246}\.service$/;

const UNIT_GLOB_WANT =
  'the name of a service unit, in which * and ? are wildcards, such as "worker@*.service"';
const UNIT_GLOBS = list({
  want: `at most ${UNIT_GLOBS_MAX} names of service units, such as ["worker@*.service"]`,
  countMax: UNIT_GLOBS_MAX,
  item: textItem(UNIT_GLOB_WANT, UNIT_GLOB),
});

export const RECOVERY_KEYS = {
  command: live("command", command, "Program and arguments to run for a stalled process"),
  command_file: live("commandSource", secretFile("command", "the command file"),
    "Secret file that holds the command", { absent: "inline", loads: "command" }),
  append_pid: live("appendPid", flag, "Add the pid as last argument", { byDefault: false }),
  debounce: live("debounceNs", duration({ minMs: 0 }),
    "Shortest time between two recoveries of one process", { byDefault: "1s" }),
  env: live("env", variables, "Environment variables of the command", { byDefault: {} }),
  inherit_env: live("inheritEnv", flag, "Give the command the whole environment of the daemon",
    { byDefault: false }),
  timeout: live("timeoutNs", duration({ minMs: 100, zeroWould: "kill every command as it starts",
      offBy: "no such key: then a command is never killed" }),
    "Run time after which the command is killed"),
  kill_grace: live("killGraceNs", duration({ minMs: 0, maxMs: 60_000 }),
    "Time from SIGTERM to SIGKILL", { byDefault: "2s" }),
  capture: live("capture", flag, "Keep the end of what the command prints for the audit log", { byDefault: false }),
  capture_bytes: live("captureBytes", integer({ min: 1, max: CAPTURE_BYTES_MAX,
      zeroWould: "keep nothing", offBy: "capture = false" }), "Bytes kept of each output stream",
    { byDefault: CAPTURE_BYTES_DEFAULT, unit: "bytes" }),
  shutdown_grace: live("shutdownGraceNs",
    duration({ minMs: 100, maxMs: 60_000, zeroWould: "abandon every running command at exit" }),
    "Wait for running commands at exit", { byDefault: "5s" }),
  step: live("steps", steps, "Steps of a recovery, instead of one command", { absent: [] }),
  restart_units: live("restartUnits", UNIT_GLOBS,
    'Units that restart_unit = "auto" may restart for any process in them', { byDefault: [] }),
  cwd: live("cwd", path("a directory"), "Working directory of the command"),
  umask: live("umask", mode, "File mode mask of the command, in octal"),
  backoff_max: live("backoffMaxNs", duration({ minMs: 1_000,
      zeroWould: "be shorter than every debounce",
      offBy: "no such key: then the debounce never grows" }),
    "Longest pause of a debounce that doubles"),
  backoff_reset: live("backoffResetNs",
    duration({ minMs: 1, zeroWould: "never let the back-off grow" }),
    "Healthy time after which the back-off begins again", { byDefault: "10m" }),
  budget: live("budget", integer({ min: 1, max: BUDGET_MAX, zeroWould: "never recover any agent",
      offBy: "no such key: then there is no budget" }), "Recoveries of one agent per budget_window",
    { unit: "recoveries" }),
  budget_window: live("budgetWindowNs", duration({ minMs: 1_000, zeroWould: "count nothing" }),
    "Time over which a budget is counted", { byDefault: "1h" }),
  pace_by: live("paceBy", word(["agent", "process", "unit"]),
    "Whose recoveries back-off and budget count together",
    { computed: '"agent" with a configuration file, else "process"' }),
  storm_limit: live("stormLimit", integer({ min: 0, max: STORM_LIMIT_MAX }),
    "Recoveries of all agents together per storm_window; 0 = no limit",
    { computed: `${STORM_LIMIT_DEFAULT} with a configuration file, else 0`, unit: "recoveries" }),
  storm_window: live("stormWindowNs", duration({ minMs: 1_000, zeroWould: "count nothing" }),
    "Time over which storm_limit is counted", { byDefault: "1m" }),
  verify_within: live("verifyWithinNs", duration({ minMs: 10,
      zeroWould: "call every recovery a failure",
      offBy: "no such key: then recoveries are not verified" }),
    "Time for a beat to come back after a recovery"),
  retry: live("retry", flag, "Recover an agent again while it stays silent", { byDefault: false }),
  dry_run: live("dryRun", flag, "Decide and log everything, but start and signal nothing",
    { byDefault: false }),
  when: live("when", words(STALL_VERDICTS, "verdicts"),
    "Verdicts on which it acts",
    { computed: "all but traced and frozen; all without a configuration file" }),
};
