// Which plans a file with problems puts in doubt (spec 17 section 8).
import { describe, expect, test } from "bun:test";
import { plansInDoubt } from "../../../src/config/diff/plans_in_doubt.ts";
import { parseToml, type TomlTree } from "../../../src/config/toml_document.ts";

function tree(text: string): TomlTree {
  const document = parseToml(text);
  if (!document.ok) throw new Error(document.found);
  return document.tree;
}

const PLAN = (name: string, signal: string) =>
  `[[recovery.plan]]\nname = "${name}"\nstep = [{ signal = "${signal}" }]\n`;
const GOOD = `[recovery]\ndebounce = "5s"\n${PLAN("a", "SIGQUIT")}${PLAN("b", "SIGTERM")}`;

function doubted(text: string, isWhole = true): string[] {
  const { hasAll, names } = plansInDoubt(tree(GOOD), tree(text), isWhole);
  return [...(hasAll ? ["all"] : []), ...names];
}

describe("plansInDoubt()", () => {
  test("is empty where the problems are elsewhere", () => {
    expect(doubted(`${GOOD}[log]\nlevel = 7\n`)).toEqual([]);
  });

  test("has the plans that differ or are gone", () => {
    expect(doubted(GOOD.replace("SIGTERM", "SIGKILL"))).toEqual(["b"]);
    expect(doubted(GOOD.replace('"b"', '"c"'))).toEqual(["b"]);
    expect(doubted(`${GOOD}dry_run = true\n`)).toEqual(["b"]);
  });

  test("has all if [recovery] differs, from which every plan has its keys", () => {
    expect(doubted(GOOD.replace("5s", "6s"))).toEqual(["all"]);
    expect(doubted("")).toEqual(["all", "a", "b"]);
  });

  test("of a file that breaks off has only those that it has otherwise", () => {
    expect(doubted("", false)).toEqual([]);
    expect(doubted(`[recovery]\n${PLAN("a", "SIGKILL")}`, false)).toEqual(["a"]);
    expect(doubted('[recovery]\ndebounce = "6s"\n', false)).toEqual(["all"]);
  });
});
