// Checks one table of the file against its keys, one by one, so that one wrong key hides no other
// (spec 07 section 4). A wrong key has no value afterwards and takes part in no rule.
import type { Fault, Path } from "../problems/fault.ts";
import { type CheckedValues, defaultOf, type Key, type Keys } from "../keys/key.ts";
import type { TomlTree } from "../toml_document.ts";

export interface CheckedTable<K extends Keys> {
  /** Defaults are in place; keys that are wrong, or optional and absent, are not. */
  readonly values: CheckedValues<K>;
  /** Keys that are written down, right or wrong. */
  readonly given: Set<string>;
  readonly wrong: Set<string>;
}

/** Checks every key of `keys` in `table`; other names are left to the caller. */
export function checkTable<K extends Keys>(
  keys: K,
  table: TomlTree,
  path: Path,
  faults: Fault[],
): CheckedTable<K> {
  const checked = { values: {}, given: new Set<string>(), wrong: new Set<string>() };
  for (const [name, key] of Object.entries<Key>(keys))
    checkKey(name, key, table, { path, faults, checked });
  return checked as CheckedTable<K>;
}

interface Target {
  readonly path: Path;
  readonly faults: Fault[];
  readonly checked: {
    readonly values: Record<string, unknown>;
    readonly given: Set<string>;
    readonly wrong: Set<string>;
  };
}

function checkKey(name: string, key: Key, table: TomlTree, target: Target): void {
  const { path, faults, checked } = target;
  const { form } = key;
  const { milliseconds } = form;
  const value = table[name];
  const inMilliseconds = milliseconds === undefined ? undefined : table[`${name}_ms`];
  let held: unknown;
  if (value !== undefined) {
    checked.given.add(name);
    held = form.check(value, [...path, name], faults);
  } else if (key.required === true) {
    faults.push({ path: [...path, name], anchor: "header", found: "nothing", want: form.want });
  } else held = defaultOf(key);
  let isWrong = held === undefined && (value !== undefined || key.required === true);
  if (milliseconds !== undefined && inMilliseconds !== undefined) {
    const alias = `${name}_ms`;
    checked.given.add(alias);
    held = milliseconds.check(inMilliseconds, [...path, alias], faults);
    if (held === undefined) isWrong = true;
    if (value !== undefined) {
      const found = `both ${name} and ${alias}`;
      faults.push({ path: [...path, alias], anchor: "key", found, want: "one of the two" });
    }
  }
  if (isWrong) checked.wrong.add(name);
  else if (held !== undefined) checked.values[name] = held;
}
