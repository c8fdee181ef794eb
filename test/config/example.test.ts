// varta.toml.example is the manual of the file: it must load, every key in it must be right, and no
// key may be missing.
import { expect, test } from "bun:test";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { effectiveKeys } from "../../src/config/effective.ts";
import { AGENT_KEYS } from "../../src/config/keys/agent_keys.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "../../src/config/keys/listener_keys.ts";
import { PLAN_KEYS } from "../../src/config/keys/plan_keys.ts";
import { TABLES } from "../../src/config/keys/tables.ts";
import { joinedArrays } from "../../scripts/man/example_file.ts";
import { FixtureHost, KEY } from "./fixture_host.ts";

const EXAMPLE = readFileSync(join(import.meta.dir, "../../varta.toml.example"), "utf8");

/** A key or table after a lone "#"; prose has a space after it. */
const COMMENTED = /^#(\[\[?[a-z.]+\]\]?|[a-z_]+ = .+)$/;

function uncommented(skip: readonly string[] = []): string {
  const lines = joinedArrays(EXAMPLE)
    .split("\n")
    .map((line) => {
      const name = COMMENTED.exec(line)?.[1]?.split(" ")[0];
      return name === undefined || skip.includes(name) ? line : line.slice(1);
    });
  return lines.join("\n");
}

/** The host of an installation that has all that the example speaks of. */
function installedHost(): FixtureHost {
  const fixture = new FixtureHost();
  appendFileSync(join(fixture.directory, "passwd"), "dana:x:1000:1000::/home/dana:/bin/sh\n");
  appendFileSync(join(fixture.directory, "group"), "oncall:x:1001:dana\n");
  fixture.write("agents.key", KEY);
  fixture.write("agents-old.keys", "1".repeat(64));
  fixture.write("master.key", KEY);
  fixture.write("metrics.token", KEY);
  fixture.write("audit.key", KEY);
  fixture.write("recovery.command", "/bin/true");
  return fixture;
}

test("the example loads as it is", async () => {
  using fixture = new FixtureHost();
  const result = await fixture.load(EXAMPLE);
  if (!result.ok) throw new Error(result.text);
  expect(result.warnings).toEqual([]);
  expect([...result.setBy.keys()].sort()).toEqual([
    "listener[0].kind",
    "listener[0].path",
    "metrics.listen",
  ]);
});

test("the example with every key line in force has no problem", async () => {
  const ways = ["command", "command_file", "step"];
  for (const way of ways) {
    using fixture = installedHost();
    const result = await fixture.load(uncommented(ways.filter((one) => one !== way)));
    expect(result.ok ? [] : result.problems).toEqual([]);
  }
});

test("a commented key shows its default, if it has one", async () => {
  using fixture = installedHost();
  const defaults = await fixture.load(EXAMPLE);
  if (!defaults.ok) throw new Error(defaults.text);
  const inForce = uncommented(["command_file", "step", "file", "key_file", "operators"]);
  // The listeners that are only examples lie between the second [[listener]] and [recovery].
  const second = inForce.indexOf("[[listener]]", inForce.indexOf("\n[[listener]]") + 2);
  const written = await fixture.load(
    inForce.slice(0, second) + inForce.slice(inForce.indexOf("\n[recovery]")),
  );
  if (!written.ok) throw new Error(written.text);
  const byDefault = effectiveKeys(defaults).filter(({ value }) => value !== undefined);
  const values = new Map(effectiveKeys(written).map((row) => [`${row.table}.${row.key}`, row]));
  for (const { table, key, value } of byDefault) {
    expect(values.get(`${table}.${key}`)).toEqual({ table, key, value, origin: "file" });
  }
});

test("the example speaks of every key of the schema", () => {
  const tables = sectionsOf(EXAMPLE);
  for (const [table, shape] of Object.entries(TABLES)) {
    const keys = Object.keys(shape).filter((key) => !key.endsWith("_ms"));
    expect([table, tables.get(table)?.toSorted()]).toEqual([table, keys.toSorted()]);
  }
  for (const kind of LISTENER_KINDS) {
    const keys = Object.keys(LISTENER_KEYS[kind]);
    expect([kind, tables.get(`listener ${kind}`)?.toSorted()]).toEqual([kind, keys.toSorted()]);
  }
  expect(tables.get("agent")?.toSorted()).toEqual(Object.keys(AGENT_KEYS).toSorted());
  for (const key of tables.get("recovery.plan") ?? [])
    expect(Object.keys(PLAN_KEYS)).toContain(key);
});

test("the example fits into 120 columns", () => {
  for (const line of EXAMPLE.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
});

/** The keys of each table, commented or not; listeners by kind. */
function sectionsOf(text: string): Map<string, string[]> {
  const tables = new Map<string, string[]>();
  let table = "";
  for (const line of text.split("\n")) {
    const header = /^#?\[\[?([a-z.]+)\]\]?$/.exec(line)?.[1];
    if (header !== undefined) table = header;
    const kind = /^#?kind = "(.+)"$/.exec(line)?.[1];
    if (kind !== undefined) table = `listener ${kind}`;
    const key = /^#?([a-z_]+) = .+$/.exec(line)?.[1];
    if (key !== undefined) tables.set(table, [...(tables.get(table) ?? []), key]);
  }
  return tables;
}
