// Where the recordings are, and what of a page they have.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import type { Recording } from "./recorder.ts";

export const RECORDINGS = join(ROOT, "test/fixtures/alerts");
export const RULES = join(ROOT, "packaging/prometheus/varta-watch.rules.yml");

/** The families that the alert rules look at, but for histograms. */
export function familiesOfRules(): ReadonlySet<string> {
  const names = readFileSync(RULES, "utf8").match(/\bvarta_\w+/g) ?? [];
  return new Set(names.filter((name) => !/_(bucket|count)$/.test(name)));
}

export function recording(name: string): Recording {
  return JSON.parse(readFileSync(join(RECORDINGS, `${name}.json`), "utf8")) as Recording;
}
