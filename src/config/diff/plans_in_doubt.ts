// Plans of recovery that a file with problems does not have as the configuration does that runs in
// its place (spec 17 section 8): whoever edited it may have meant to change them, so nothing is
// done by them. What cannot be read says nothing.
import { isDeepStrictEqual } from "node:util";
import { tableOf } from "../keys/form.ts";
import type { TomlTree } from "../toml_document.ts";

/** Names of plans; `hasAll`: every plan, since [recovery] itself differs, from which all have. */
export interface PlansInDoubt {
  readonly hasAll: boolean;
  readonly names: ReadonlySet<string>;
}

/** `isWhole`: nothing is missing in `read`; else what is not there may have been. */
export function plansInDoubt(good: TomlTree, read: TomlTree, isWhole: boolean): PlansInDoubt {
  const [before, now] = [tableOf(good["recovery"]) ?? {}, tableOf(read["recovery"]) ?? {}];
  const isSame = (one: TomlTree, other: TomlTree) => {
    const keys = isWhole ? [...Object.keys(one), ...Object.keys(other)] : Object.keys(other);
    return keys.every((key) => key === "plan" || isDeepStrictEqual(one[key], other[key]));
  };
  const plansNow = plansOf(now);
  const names = [...plansOf(before)].flatMap(([name, plan]) => {
    const other = plansNow.get(name);
    if (other === undefined) return isWhole ? [name] : [];
    return isSame(plan, other) ? [] : [name];
  });
  return { hasAll: !isSame(before, now), names: new Set(names) };
}

function plansOf(recovery: TomlTree): Map<string, TomlTree> {
  const plans = Array.isArray(recovery["plan"]) ? (recovery["plan"] as unknown[]) : [];
  return new Map(
    plans.flatMap((plan): [string, TomlTree][] => {
      const table = tableOf(plan);
      const name = table?.["name"];
      return table !== undefined && typeof name === "string" ? [[name, table]] : [];
    }),
  );
}
