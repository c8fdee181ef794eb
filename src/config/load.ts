// Loads the configuration: file, options, secret files and rules, all problems at once (spec 07
// sections 1 to 5). Binds nothing, creates nothing, opens nothing for writing: `check` and the
// daemon run the very same code.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { EVENT_WORDS, OBSERVER_EVENT_WORDS } from "../events/event_kinds.ts";
import { STALL_VERDICTS } from "../events/stall_verdict.ts";
import { Accounts } from "./accounts.ts";
import { applyOptions } from "./apply_options.ts";
import { isLoopbackAddress } from "./keys/address.ts";
import { type CheckedDocument, checkDocument } from "./checks/check_document.ts";
import type { Config, LogFormat } from "./config.ts";
import { expandCredentialPaths } from "./checks/credentials.ts";
import { checkCrossRules } from "./checks/cross_rules.ts";
import { type Fault, type ItemNames, pathKey } from "./problems/fault.ts";
import { setterOf } from "./checks/key_ref.ts";
import type {
  GivenOption,
  Host,
  LoadOptions,
  LoadResult,
  Machine,
  Problem,
  RuntimeDirectory,
  ValueSetter,
} from "./load_result.ts";
import { checkMachine } from "./checks/machine_rules.ts";
import { checkPrograms, directoryFault, programFault } from "./checks/programs.ts";
import { descriptorWarnings } from "./checks/descriptor_rule.ts";
import { doubtsAbout, runsSomething } from "./checks/doubts.ts";
import { failure, faultLines, optionProblem, renderFaults } from "./problems/render.ts";
import { buildConfig, checkAccounts } from "./resolve.ts";
import { defaultSocket } from "./runtime_directory.ts";
import { AGENT_LABEL } from "./keys/agent_keys.ts";
import { tableOf } from "./keys/form.ts";
import { LISTENER_NAME } from "./keys/listener_keys.ts";
import { PLAN_NAME } from "./keys/plan_keys.ts";
import { STORM_LIMIT_DEFAULT, WHEN_DEFAULT } from "./keys/recovery_keys.ts";
import { TABLE_NAMES, TABLES } from "./keys/tables.ts";
import { readSecrets } from "./secrets.ts";
import { readTomlDocument, type TomlTree } from "./toml_document.ts";

/** A beat a second of 20 agents is 370 MB of JSONL a day, and says what the metrics say. */
const EVENTS_DEFAULT = EVENT_WORDS.filter((one) => one !== "beat");

const CONFIG_FILE_DEFAULT = "/etc/varta/varta.toml";

/** The metrics address of a bare run: it must be useful without a single line of configuration. */
const BARE_METRICS_LISTEN = "127.0.0.1:9469";

/** A file of the export below this size is rotated every few events. */
const EXPORT_BYTES_SENSIBLE = 4_096;

/** The host that this process runs on. */
export function systemHost(): Host {
  return {
    uid: process.geteuid?.() ?? 0,
    platform: process.platform,
    cwd: process.cwd(),
    env: process.env,
    defaultConfigFile: CONFIG_FILE_DEFAULT,
    passwdFile: "/etc/passwd",
    groupFile: "/etc/group",
    programFault,
    directoryFault,
  };
}

const LOG_FORMATS: readonly LogFormat[] = ["logfmt", "json"];

/** Steps that run until their process ends. */
const STARTING_KINDS: readonly string[] = ["exec", "restart_unit"];

export async function loadConfig(options: LoadOptions): Promise<LoadResult> {
  const { configFile, given, host, machine } = options;
  const usage = optionProblems(given, host);
  const formatByOption = given.findLast(({ name }) => name === "log-format")?.value;
  const logFormat = LOG_FORMATS.find((format) => format === formatByOption);
  if (usage.length > 0) return failure(usage, 64, logFormat);
  const file = chooseFile(configFile, given, host);
  let tree: TomlTree = {};
  let text = "";
  if (file !== undefined) {
    const read = options.document ?? readTomlDocument(file);
    if (!read.ok) return failure([fileProblem(file, read)], 78, logFormat);
    ({ tree, text } = read);
  }
  const bareRun = file === undefined && !given.some(({ name }) => name === "socket");
  return await check({ tree, given, host, machine, file, text, bareRun });
}

/** Faults in the values of options, each held against the limits of its key: usage errors. */
export function optionProblems(given: readonly GivenOption[], host: Host): Problem[] {
  if (given.length === 0) return [];
  const faults: Fault[] = [];
  const document = checkDocument({}, faults);
  applyOptions(document, given, { cwd: host.cwd, defaultSocketPath: "/", faults });
  return faults.map(optionProblem);
}

interface Source {
  readonly tree: TomlTree;
  readonly given: readonly GivenOption[];
  readonly host: Host;
  readonly machine: Machine | undefined;
  readonly file: string | undefined;
  readonly text: string;
  readonly bareRun: boolean;
}

async function check(source: Source): Promise<LoadResult> {
  const { tree, given, host, machine, file, text, bareRun } = source;
  const faults: Fault[] = [];
  const document = checkDocument(tree, faults);
  if (bareRun) document.tables.metrics.values.listen = BARE_METRICS_LISTEN;
  setComputedDefaults(document, file === undefined);
  const socket = defaultSocket(host.uid, host.env, host.platform);
  const usesDefaultSocket = listensNowhere(document, given);
  const defaultSocketPath = socket.path;
  const applied = applyOptions(document, given, { cwd: host.cwd, defaultSocketPath, faults });
  const warnings: string[] = [...applied.warnings];
  const { env } = host;
  expandCredentialPaths({ document, env, unit: machine?.unit, faults, warnings });
  checkCrossRules(document, host.platform, faults);
  const accounts = { user: new Accounts(host.passwdFile), group: new Accounts(host.groupFile) };
  checkAccounts(document, accounts, faults);
  const saysWhatIsMeant = faults.length === 0;
  const secrets = readSecrets(document, host.uid, faults);
  checkPrograms(document, secrets, host, faults);
  if (machine !== undefined && saysWhatIsMeant) {
    const ownDirectory = usesDefaultSocket ? socket.directory.path : undefined;
    const { groupFile } = host;
    checkMachine(document, { machine, groupFile, ownDirectory, faults, warnings });
  }
  if (faults.length > 0) {
    const isChosen = setterOf(document, { table: "log", key: "format" }) !== undefined;
    const logFormat = isChosen ? document.tables.log.values.format : undefined;
    return await renderFaults(faults, { file, text, names: writtenNames(tree), logFormat });
  }
  const optionsAlone = file === undefined;
  const config = buildConfig({ document, accounts, secrets, bareRun, optionsAlone });
  const doubts = doubtsAbout(document, config);
  const doubtLines = await faultLines(doubts, { file, text, names: writtenNames(tree) });
  const runtimeDirectory: RuntimeDirectory | undefined = usesDefaultSocket
    ? socket.directory
    : undefined;
  return {
    ok: true,
    config,
    file,
    text,
    setBy: collectSetters(document),
    warnings: [
      ...warnings,
      ...startupWarnings(config, host),
      ...(machine === undefined ? [] : descriptorWarnings(config, machine.unit)),
      ...doubtLines,
    ],
    runtimeDirectory,
  };
}

/** The file that a load reads; undefined = none. */
export function chooseFile(
  configFile: string | undefined,
  given: readonly GivenOption[],
  host: Host,
): string | undefined {
  if (configFile !== undefined) return resolve(host.cwd, configFile);
  if (given.some(({ name }) => name === "socket")) return undefined;
  return existsSync(host.defaultConfigFile) ? host.defaultConfigFile : undefined;
}

function listensNowhere(document: CheckedDocument, given: readonly GivenOption[]): boolean {
  const byOption = given.some(({ name }) => name === "socket" || name === "udp-port");
  return document.listeners.length === 0 && !byOption;
}

function fileProblem(
  file: string,
  fault: { line: number | undefined; column: number | undefined; found: string; want: string },
): Problem {
  const { line, column, found, want } = fault;
  return { source: file, line, column, key: "", where: "", text: `found ${found}; want ${want}` };
}

/** Recipes for the Rust observer run as they did; a file turns on what has come after it. */
function setComputedDefaults(document: CheckedDocument, optionsAlone: boolean): void {
  const { export: events, recovery, metrics } = document.tables;
  if (!events.given.has("events") && !events.wrong.has("events"))
    events.values.events = [...(optionsAlone ? OBSERVER_EVENT_WORDS : EVENTS_DEFAULT)];
  if (!metrics.given.has("per_pid") && !metrics.wrong.has("per_pid"))
    metrics.values.per_pid = optionsAlone;
  const { values, given, wrong } = recovery;
  const isOpen = (key: string): boolean => !given.has(key) && !wrong.has(key);
  if (isOpen("pace_by")) values.pace_by = optionsAlone ? "process" : "agent";
  if (isOpen("storm_limit")) values.storm_limit = optionsAlone ? 0 : STORM_LIMIT_DEFAULT;
  if (isOpen("when")) values.when = [...(optionsAlone ? STALL_VERDICTS : WHEN_DEFAULT)];
}

/**
 * The names that the file gives to its listeners, agents and plans, as far as each is a name and of
 * one of them only.
 */
function writtenNames(tree: TomlTree): ItemNames {
  return {
    listener: namesOf(tree["listener"], LISTENER_NAME),
    agent: namesOf(tree["agent"], AGENT_LABEL),
    "recovery.plan": namesOf(tableOf(tree["recovery"])?.["plan"], PLAN_NAME),
  };
}

function namesOf(items: unknown, pattern: RegExp): (string | undefined)[] {
  if (!Array.isArray(items)) return [];
  const names: unknown[] = items.map((item) => (item as { name?: unknown } | null)?.name);
  return names.map((name, index) => {
    const isName = typeof name === "string" && pattern.test(name);
    const isOnlyOne = names.indexOf(name) === index && names.lastIndexOf(name) === index;
    return isName && isOnlyOne ? name : undefined;
  });
}

/** Dotted key of every value that is not a default. */
function collectSetters(document: CheckedDocument): ReadonlyMap<string, ValueSetter> {
  const setters = new Map<string, ValueSetter>();
  for (const table of TABLE_NAMES) {
    for (const key of Object.keys(TABLES[table])) {
      const setter = setterOf(document, { table, key });
      if (setter !== undefined) setters.set(`${table}.${key}`, setter);
    }
  }
  for (const [index, listener] of document.listeners.entries()) {
    for (const key of Object.keys(listener.values)) {
      const setter = setterOf(document, { listener, key });
      if (setter !== undefined) setters.set(`listener[${index}].${key}`, setter);
    }
  }
  for (const row of [...document.agents, ...document.plans]) {
    for (const key of Object.keys(row.values)) {
      const setter = setterOf(document, { row, key });
      if (setter !== undefined) setters.set(`${pathKey(row.path)}.${key}`, setter);
    }
  }
  return setters;
}

/** What is allowed and yet worth a word at start-up (spec 07 section 7). */
function startupWarnings(config: Config, { platform, uid }: Host): string[] {
  const { recovery, plans, metrics, export: events } = config;
  const warnings: string[] = [];
  const recovers = [recovery, ...plans].some(runsSomething);
  if (recovers && platform !== "linux") {
    warnings.push(
      `${platform} names no sender of a beat: recoveries are refused, but for network listeners with accept_recovery = true`,
    );
  }
  warnings.push(...planWarnings("recovery", recovery, uid));
  for (const plan of plans) warnings.push(...planWarnings(`plan ${plan.name}`, plan, uid));
  if (metrics.listen?.kind === "tcp" && !isLoopbackAddress(metrics.listen.host)) {
    warnings.push(`metrics are served on ${metrics.listen.host}, which is not a loopback address`);
  }
  if (events.file !== undefined && (events.maxBytes ?? Infinity) < EXPORT_BYTES_SENSIBLE) {
    warnings.push(`export.max_bytes is ${events.maxBytes}: the file is rotated every few events`);
  }
  return warnings;
}

/** Of [recovery] or of a plan, which `label` names. */
function planWarnings(label: string, plan: Config["recovery"], uid: number): string[] {
  const isPlan = label !== "recovery";
  const of = isPlan ? `${label}: ` : "";
  const warnings: string[] = [];
  const recovers = runsSomething(plan);
  if (recovers && plan.inheritEnv) {
    warnings.push(`${of}recovery commands inherit the whole environment of the daemon`);
  }
  const hangs = plan.steps.slice(0, -1).some(({ kind }) => STARTING_KINDS.includes(kind));
  if (hangs && plan.timeoutNs === undefined) {
    warnings.push(
      `${of}recovery.timeout is not set: a step that hangs keeps the next ones from being done`,
    );
  }
  const restartsOwn = plan.steps.some(
    (step) => step.kind === "restart_unit" && step.unit === "auto",
  );
  if (restartsOwn && uid === 0 && plan.restartUnits.length === 0) {
    warnings.push(
      `${of}restart_unit = "auto" as root: any process of a service might have it restarted, so only its main ` +
        "process may, if it beats as the user of the service; list more in recovery.restart_units",
    );
  }
  if (!isPlan && !restartsOwn && plan.restartUnits.length > 0) {
    warnings.push('recovery.restart_units has no effect: there is no step restart_unit = "auto"');
  }
  if (recovers && plan.dryRun) {
    warnings.push(
      `${of}dry run: recoveries are decided and logged; nothing is started or signalled`,
    );
  }
  return warnings;
}
