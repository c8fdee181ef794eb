// Turns the checked values into the read-only Config, key by key: each form says what becomes of
// its values (spec 07 section 2). User and group names that do not exist are reported here.
import type { CheckedDocument, CheckedListener } from "./checks/check_document.ts";
import { listenerNames } from "./checks/listener_names.ts";
import { plannedValues, saysWhatIsRun } from "./checks/planned_values.ts";
import type { AgentRule, Config, ListenerConfig, PlanConfig } from "./config.ts";
import { AGENT_KEYS } from "./keys/agent_keys.ts";
import type { AccountFiles } from "./keys/form.ts";
import { accountWant } from "./keys/list_forms.ts";
import type { Keys } from "./keys/key.ts";
import { LISTENER_KEYS } from "./keys/listener_keys.ts";
import { PLANNED_KEYS } from "./keys/plan_keys.ts";
import { TABLE_NAMES, TABLES } from "./keys/tables.ts";
import type { Fault, Path } from "./problems/fault.ts";
import { quoted } from "./problems/found.ts";
import { listenerSecret, planSecret, type Secrets } from "./secrets.ts";

/** Looks up the user and group names of every table and listener, in the order of the file. */
export function checkAccounts(
  document: CheckedDocument,
  files: AccountFiles,
  faults: Fault[],
): void {
  for (const table of TABLE_NAMES)
    checkAccountsOf(TABLES[table], document.tables[table].values, [table], files, faults);
  for (const { kind, values, path } of document.listeners)
    if (kind !== undefined) checkAccountsOf(LISTENER_KEYS[kind], values, path, files, faults);
}

function checkAccountsOf(
  keys: Keys,
  values: Readonly<Record<string, unknown>>,
  path: Path,
  files: AccountFiles,
  faults: Fault[],
): void {
  for (const [key, { form }] of Object.entries(keys)) {
    const value = values[key];
    const { account, accountOf } = form;
    if (value === undefined || (account === undefined && accountOf === undefined)) continue;
    for (const [index, word] of ([value].flat() as (string | number)[]).entries()) {
      const named = accountOf?.(String(word)) ?? { kind: account!, name: word };
      if (files[named.kind].resolve(named.name) !== undefined) continue;
      const at = Array.isArray(value) ? [...path, key, index] : [...path, key];
      const found = `${quoted(String(named.name))}, which is not in ${files[named.kind].file}`;
      faults.push({ path: at, anchor: "value", found, want: accountWant(named.kind) });
    }
  }
}

interface ConfigParts {
  readonly document: CheckedDocument;
  readonly accounts: AccountFiles;
  readonly secrets: Secrets;
  readonly bareRun: boolean;
  readonly optionsAlone: boolean;
}

/** The configuration of a document without faults. */
export function buildConfig(parts: ConfigParts): Config {
  const { document, accounts, secrets, bareRun, optionsAlone } = parts;
  const names = listenerNames(document.listeners);
  const listeners = document.listeners.map((listener, index) =>
    listenerConfig(listener, names[index]!, accounts, (field) =>
      secrets.get(listenerSecret(index, field)),
    ),
  );
  const config: Record<string, unknown> = { bareRun, optionsAlone, listeners };
  for (const name of TABLE_NAMES) {
    const keys: Keys = TABLES[name];
    const fields = resolvedTable(keys, document.tables[name].values, accounts);
    for (const { loads } of Object.values(keys))
      if (loads !== undefined) fields[loads] ??= secrets.get(`${name}.${loads}`);
    config[name] = fields;
  }
  config["agents"] = agentRules(parts);
  config["plans"] = planConfigs(parts, config["recovery"] as Config["recovery"]);
  return config as unknown as Config;
}

function agentRules({ document, accounts }: ConfigParts): AgentRule[] {
  const { threshold } = document.tables.observer.values;
  return document.agents.map(
    ({ values }) => resolvedTable(AGENT_KEYS, { threshold, ...values }, accounts) as AgentRule,
  );
}

/** Each plan with what it has from [recovery]. */
function planConfigs(
  { document, accounts, secrets }: ConfigParts,
  recovery: Config["recovery"],
): PlanConfig[] {
  return document.plans.map((row, index) => {
    const own = resolvedTable(PLANNED_KEYS, plannedValues(document, row), accounts);
    const isOwn = saysWhatIsRun(row.given);
    const command = isOwn ? (own["command"] ?? secrets.get(planSecret(index))) : recovery.command;
    return { ...recovery, ...own, command, name: row.values.name! } as PlanConfig;
  });
}

function listenerConfig(
  { kind, values }: CheckedListener,
  name: string,
  accounts: AccountFiles,
  secretOf: (field: string) => unknown,
): ListenerConfig {
  const keys: Keys = LISTENER_KEYS[kind!];
  const fields = resolvedTable(keys, { ...values, kind, name }, accounts);
  for (const { loads } of Object.values(keys))
    if (loads !== undefined) fields[loads] = secretOf(loads);
  return fields as unknown as ListenerConfig;
}

function resolvedTable(
  keys: Keys,
  values: Readonly<Record<string, unknown>>,
  accounts: AccountFiles,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, { field, form, absent }] of Object.entries(keys)) {
    const value = values[name];
    const isResolved = value !== undefined && form.resolved !== undefined;
    fields[field] = isResolved ? form.resolved!(value, accounts) : (value ?? absent);
  }
  return fields;
}
