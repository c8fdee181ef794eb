// What a new configuration changes of the one in force (spec 17 sections 3 and 6): a pure
// comparison by the rows of the keys, so that a key cannot be forgotten. Rules, plans and listeners
// are compared by their names. No value of a secret is in a change.
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config.ts";
import { shownValue, tomlText } from "../effective.ts";
import { AGENT_KEYS } from "../keys/agent_keys.ts";
import type { Key, Keys } from "../keys/key.ts";
import { LISTENER_KEYS } from "../keys/listener_keys.ts";
import { PLAN_KEYS } from "../keys/plan_keys.ts";
import { isTableName, TABLE_ORDER, TABLES } from "../keys/tables.ts";
import type { Path } from "../problems/fault.ts";

export interface Change {
  /** "limits.global_rate", "threshold of agent worker" or "rule worker". */
  readonly what: string;
  /** What has it: "limits", "agent worker" or "rule worker"; and its key, "" = it as a whole. */
  readonly where: string;
  readonly key: string;
  /** "5s -> 2s", "added", "removed" or "(secret)". */
  readonly how: string;
  readonly reload: Key["reload"];
  /** Where the new file has it. */
  readonly path: Path;
  /** Index of the rule that it is of, in the new configuration; -1 = of none. */
  readonly rule: number;
  /** Its index in the configuration before. */
  readonly ruleBefore?: number | undefined;
}

/** "threshold of agent worker: 5s -> 2s" */
export function changeLine({ what, how }: Change): string {
  return `${what}: ${how}`;
}

/** In the order of the file. */
export function diffConfigs(before: Config, after: Config): readonly Change[] {
  return TABLE_ORDER.flatMap((table): readonly Change[] => {
    if (table === "listener") return listenerChanges(before, after);
    if (table === "agent") return agentChanges(before, after);
    if (!isTableName(table)) return [];
    const own = keyChanges(TABLES[table], before[table], after[table], (key) => ({
      what: `${table}.${key}`,
      where: table,
      key,
      path: [table, key],
      rule: -1,
    }));
    return table === "recovery" ? [...own, ...planChanges(before, after)] : own;
  });
}

type Place = Pick<Change, "what" | "where" | "key" | "path" | "rule" | "ruleBefore">;
type Fields = Readonly<Record<string, unknown>>;

/** "rule worker", which has come or gone. */
function whole(where: string): Pick<Change, "what" | "where" | "key"> {
  return { what: where, where, key: "" };
}

function keyOf(where: string, key: string): Pick<Change, "what" | "where" | "key"> {
  return { what: `${key} of ${where}`, where, key };
}

function keyChanges(
  keys: Keys,
  before: object,
  after: object,
  placeOf: (key: string) => Place,
  isInherited: (field: string) => boolean = () => false,
): Change[] {
  const [old, now] = [before as Fields, after as Fields];
  return Object.entries(keys).flatMap(([name, key]) => {
    const { field, loads } = key;
    if (isInherited(field)) return [];
    const isSame = isDeepStrictEqual(old[field], now[field]);
    const holdsSame = loads === undefined || isDeepStrictEqual(old[loads], now[loads]);
    // What a secret file has brought in is said once, with the key of the file.
    const isBrought = !isSame && bringsSecret(keys, field, old, now);
    if (isBrought || (isSame && holdsSame)) return [];
    return [{ ...placeOf(name), how: howOf(key, old, now), reload: reloadOf(key, now[field]) }];
  });
}

function reloadOf(
  { reload, liveMax = Number.POSITIVE_INFINITY }: Key,
  value: unknown,
): Key["reload"] {
  return typeof value === "number" && value > liveMax ? "restart" : reload;
}

/** True if a secret file that is named before or now has the value of `field`. */
function bringsSecret(keys: Keys, field: string, old: Fields, now: Fields): boolean {
  return Object.values(keys).some(
    (key) =>
      key.loads === field &&
      (shownValue(key, old) !== undefined || shownValue(key, now) !== undefined),
  );
}

function howOf(key: Key, old: Fields, now: Fields): string {
  const [from, to] = [valueText(key, old), valueText(key, now)];
  // Only what is not shown differs.
  return key.form.secret !== undefined || from === to ? "(secret)" : `${from} -> ${to}`;
}

const VALUE_LENGTH_MAX = 80;

function valueText(key: Key, fields: Fields): string {
  const value = shownValue(key, fields);
  if (value === undefined) return "not set";
  const isPlain = typeof value === "string" && key.form.milliseconds !== undefined;
  const text = isPlain ? value : tomlText(value);
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX)}...`;
}

interface Named {
  readonly name?: string | undefined;
}

/** The items of two lists that belong together: by name, those of one name in their order. */
interface Pair<Item> {
  readonly before: Item | undefined;
  readonly after: Item | undefined;
  /** Index among those after, or before if it is not there any more. */
  readonly index: number;
  readonly indexBefore: number | undefined;
}

function pairs<Item extends Named>(before: readonly Item[], after: readonly Item[]): Pair<Item>[] {
  const [old, now] = [byLabel(before), byLabel(after)];
  const kept = [...now].map(([label, index]) => {
    const at = old.get(label);
    const item = { before: at === undefined ? undefined : before[at], after: after[index] };
    return { ...item, index, indexBefore: at };
  });
  const removed = [...old].filter(([label]) => !now.has(label));
  return [
    ...kept,
    ...removed.map(([, index]) => {
      return { before: before[index], after: undefined, index, indexBefore: index };
    }),
  ];
}

/** Index by the name and its number among those of that name; without a name only by number. */
function byLabel(items: readonly Named[]): Map<string, number> {
  const counts = new Map<string, number>();
  const found = new Map<string, number>();
  for (const [index, { name = "" }] of items.entries()) {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    found.set(`${count} ${name}`, index);
  }
  return found;
}

function agentChanges(before: Config, after: Config): Change[] {
  const changes = pairs(before.agents, after.agents).flatMap(
    ({ before: old, after: now, index, indexBefore: ruleBefore }) => {
      const name = (now ?? old)?.name;
      const path: Path = ["agent", index];
      const rule = now === undefined ? -1 : index;
      const item = { path, rule, ruleBefore, reload: "live" } as const;
      const label = name ?? String(index + 1);
      if (old === undefined) return [{ ...item, ...whole(`rule ${label}`), how: "added" }];
      if (now === undefined) return [{ ...item, ...whole(`rule ${label}`), how: "removed" }];
      const of = name === undefined ? `rule ${label}` : `agent ${label}`;
      const hasObservers =
        old.thresholdNs === before.observer.thresholdNs &&
        now.thresholdNs === after.observer.thresholdNs;
      return keyChanges(
        AGENT_KEYS,
        old,
        now,
        (key) => ({ ...keyOf(of, key), path: [...path, key], rule, ruleBefore }),
        (field) => field === "thresholdNs" && hasObservers,
      );
    },
  );
  if (isSameOrder(before.agents, after.agents)) return changes;
  const place = { path: ["agent"], rule: -1, reload: "live" } as const;
  const order = { what: "order of the rules", where: "rules", key: "order" };
  return [...changes, { ...place, ...order, how: "changed" }];
}

/** True if those that are in both lists have the same order in both. */
function isSameOrder(before: readonly Named[], after: readonly Named[]): boolean {
  const [old, now] = [byLabel(before), byLabel(after)];
  const inBoth = (own: Map<string, number>, other: Map<string, number>) =>
    [...own.keys()].filter((label) => other.has(label));
  return isDeepStrictEqual(inBoth(old, now), inBoth(now, old));
}

function planChanges(before: Config, after: Config): Change[] {
  return pairs(before.plans, after.plans).flatMap(({ before: old, after: now, index }) => {
    const path: Path = ["recovery", "plan", index];
    const item = { path, rule: -1, reload: "live" } as const;
    const what = `plan ${(now ?? old)!.name}`;
    if (old === undefined) return [{ ...item, ...whole(what), how: "added" }];
    if (now === undefined) return [{ ...item, ...whole(what), how: "removed" }];
    return keyChanges(
      PLAN_KEYS,
      old,
      now,
      (key) => ({ ...keyOf(what, key), path: [...path, key], rule: -1 }),
      (field) => isOf(before.recovery, old, field) && isOf(after.recovery, now, field),
    );
  });
}

/** True if the plan has the same as [recovery], which is compared by itself. */
function isOf(recovery: object, plan: object, field: string): boolean {
  return isDeepStrictEqual((recovery as Fields)[field], (plan as Fields)[field]);
}

function listenerChanges(before: Config, after: Config): Change[] {
  return pairs(before.listeners, after.listeners).flatMap(({ before: old, after: now, index }) => {
    const path: Path = ["listener", index];
    const item = { path, rule: -1, reload: "live" } as const;
    const what = `listener ${(now ?? old)!.name}`;
    if (old === undefined) return [{ ...item, ...whole(what), how: "added" }];
    if (now === undefined) return [{ ...item, ...whole(what), how: "removed" }];
    if (old.kind !== now.kind)
      return [{ ...item, ...whole(what), how: `${old.kind} -> ${now.kind}` }];
    return keyChanges(LISTENER_KEYS[now.kind], old, now, (key) => ({
      ...keyOf(what, key),
      path: [...path, key],
      rule: -1,
    }));
  });
}
