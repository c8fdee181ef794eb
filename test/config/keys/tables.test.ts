// Every key of the schema: its type, its range, its default (spec 07 section 2, spelled out again
// here) and what is said about a neighbour of its name.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { LoadResult } from "../../../src/config/load_result.ts";
import { jsonSchemaText } from "../../../src/config/keys/json_schema.ts";
import { defaultOf, formOf, type Key, type Keys, keyNames } from "../../../src/config/keys/key.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "../../../src/config/keys/listener_keys.ts";
import { TABLES, type TableName } from "../../../src/config/keys/tables.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { FixtureHost } from "../fixture_host.ts";

setDefaultTimeout(TEST_MS_MAX);

const LISTENERS = {
  unix: 'kind = "unix"\npath = "/a"\n',
  notify: 'kind = "notify"\npath = "/a"\n',
  "unix-stream": 'kind = "unix-stream"\npath = "/a"\n',
  udp: 'kind = "udp"\nport = 1\naccept_plaintext = true\n',
  "secure-udp": 'kind = "secure-udp"\nport = 1\nmaster_key_file = "/etc/varta/good.key"\n',
} as const;

type Place = readonly [table: string, key: string];

/** A file with one key, in a table that is good otherwise. */
function fileWith([table, key]: Place, literal: string): string {
  const kind = LISTENER_KINDS.find((one) => `listener.${one}` === table);
  if (kind === undefined) return `[${table}]\n${key} = ${literal}\n`;
  const others = LISTENERS[kind].split("\n").filter((line) => !line.startsWith(`${key} `));
  return `[[listener]]\n${others.join("\n")}\n${key} = ${literal}\n`;
}

/** The text of the problem of `place`; undefined if that key is not at fault. */
function problemOf(result: LoadResult, [table, key]: Place): string | undefined {
  if (result.ok) return undefined;
  const name = table.startsWith("listener") ? "listener[0]" : table;
  return result.problems.find((problem) => problem.key === `${name}.${key}`)?.text;
}

/** Many hundred files are read in its directory, one after the other. */
const fixture = new FixtureHost();
beforeAll(() => fixture.writeSecrets());
afterAll(() => fixture[Symbol.dispose]());

async function problemFor(place: Place, literal: string): Promise<string | undefined> {
  const result = await fixture.load(fileWith(place, literal));
  return problemOf(result, place);
}

const EVERY_KEY: Place[] = [
  ...Object.entries(TABLES).flatMap(([table, keys]) =>
    keyNames(keys).map((key) => [table, key] as const),
  ),
  ...LISTENER_KINDS.flatMap((kind) =>
    keyNames(LISTENER_KEYS[kind]).map((key) => [`listener.${kind}`, key] as const),
  ),
];

function keysOf(table: string): Keys {
  const kind = LISTENER_KINDS.find((one) => `listener.${one}` === table);
  return kind === undefined ? TABLES[table as TableName] : LISTENER_KEYS[kind];
}

describe("every key", () => {
  test("has a field of its own, and a default that it takes", () => {
    const tables: Keys[] = [...Object.values(TABLES), ...Object.values(LISTENER_KEYS)];
    for (const keys of tables) {
      const rows = Object.values(keys);
      expect(new Set(rows.map(({ field }) => field)).size).toBe(rows.length);
      for (const row of rows.filter(({ byDefault }) => byDefault !== undefined))
        expect([row.field, defaultOf(row)]).not.toEqual([row.field, undefined]);
    }
  });

  test("refuses a date", async () => {
    for (const place of EVERY_KEY) {
      expect([place, await problemFor(place, "2026-01-01")]).toEqual([
        place,
        expect.stringMatching(/^found a date or time; want /),
      ]);
    }
  });

  test("is suggested for a name that is one letter off", async () => {
    for (const [table, key] of EVERY_KEY) {
      if (key === "kind") continue;
      const wrong: Place = [table, `${key}x`];
      const text = await problemFor(wrong, "1");
      expect(text).toEndWith(`did you mean "${key}"?`);
      expect(text).toStartWith("found an unknown key; want one of the keys of ");
    }
  });
});

describe("every integer key", () => {
  const U32_MAX = 4_294_967_295;
  const LARGEST = Number.MAX_SAFE_INTEGER;
  const DAYS_90 = 7_776_000_000;
  const ranges: [string, string, number, number][] = [
    ["tracker", "capacity", 1, 1_048_576],
    ["tracker", "eviction_scan_window", 1, 4_096],
    ["limits", "per_pid_rate", 0, U32_MAX],
    ["limits", "global_rate", 0, U32_MAX],
    ["limits", "global_burst", 0, 9_000_000],
    ["listener.unix", "rcvbuf_bytes", 0, 2_147_483_647],
    ["listener.unix", "group", 0, 4_294_967_294],
    ["listener.udp", "rcvbuf_bytes", 0, 2_147_483_647],
    ["listener.udp", "port", 1, 65_535],
    ["listener.secure-udp", "rcvbuf_bytes", 0, 2_147_483_647],
    ["listener.secure-udp", "port", 1, 65_535],
    ["recovery", "capture_bytes", 1, 1_048_576],
    ["recovery", "budget", 1, 1_000],
    ["recovery", "storm_limit", 0, 100_000],
    ["audit", "max_bytes", 4_096, LARGEST],
    ["audit", "sync_every", 1, U32_MAX],
    ["export", "max_bytes", 128, LARGEST],
    ["export", "sync_every", 0, U32_MAX],
    ["metrics", "rate_limit_per_sec", 0, U32_MAX],
    ["metrics", "rate_limit_burst", 0, U32_MAX],
    ["observer", "threshold_ms", 10, DAYS_90],
    ["recovery", "debounce_ms", 0, DAYS_90],
    ["recovery", "timeout_ms", 100, DAYS_90],
    ["recovery", "kill_grace_ms", 0, 60_000],
    ["recovery", "shutdown_grace_ms", 100, 60_000],
    ["recovery", "backoff_max_ms", 1_000, DAYS_90],
    ["recovery", "backoff_reset_ms", 1, DAYS_90],
    ["recovery", "budget_window_ms", 1_000, DAYS_90],
    ["recovery", "storm_window_ms", 1_000, DAYS_90],
    ["recovery", "verify_within_ms", 10, DAYS_90],
    ["audit", "sync_interval_ms", 0, DAYS_90],
    ["audit", "fsync_budget_ms", 1, DAYS_90],
    ["audit", "rotation_budget_ms", 1, 250],
    ["metrics", "scrape_budget_ms", 50, 60_000],
    ["liveness", "self_watchdog_ms", 1_000, DAYS_90],
    ["liveness", "iteration_budget_ms", 50, 60_000],
    ["liveness", "shutdown_after_ms", 0, DAYS_90],
  ];

  const spelledOut = new Set(ranges.map(([table, key]) => `${table}.${key}`));
  const derived = EVERY_KEY.filter(([table, key]) => !spelledOut.has(`${table}.${key}`)).flatMap(
    ([table, key]): [string, string, number, number][] => {
      const { minimum, maximum } = formOf(keysOf(table), key)!.json;
      if (typeof minimum !== "number" || typeof maximum !== "number") return [];
      return [[table, key, minimum, maximum]];
    },
  );

  for (const [table, key, min, max] of [...ranges, ...derived]) {
    test(`${table}.${key} takes ${min} to ${max}`, async () => {
      const place: Place = [table, key];
      expect(await problemFor(place, String(min))).toBeUndefined();
      expect(await problemFor(place, String(max))).toBeUndefined();
      expect(await problemFor(place, String(BigInt(min) - 1n))).toContain(`found ${min - 1}`);
      expect(await problemFor(place, String(BigInt(max) + 1n))).toStartWith("found ");
      expect(await problemFor(place, `${min}.0`)).toStartWith(`found the float ${min}.0; want `);
      if (!key.endsWith("_ms")) return;
      const duration: Place = [table, key.slice(0, -"_ms".length)];
      expect(await problemFor(duration, `"${min}ms"`)).toBeUndefined();
      expect(await problemFor(duration, `"${max}ms"`)).toBeUndefined();
      expect(await problemFor(duration, `"${max + 1}ms"`)).toStartWith(`found "${max + 1}ms"`);
      if (min > 0) expect(await problemFor(duration, `"${min - 1}ms"`)).toStartWith("found ");
    });
  }
});

describe("every word key", () => {
  const words: [string, string, string[]][] = [
    ["observer", "clock_source", ["monotonic", "boottime", "monotonic-raw"]],
    ["tracker", "eviction_policy", ["strict", "balanced"]],
    ["recovery", "pace_by", ["agent", "process", "unit"]],
    ["export", "format", ["tsv", "jsonl"]],
    ["log", "level", ["debug", "info", "warn", "error"]],
    ["log", "format", ["logfmt", "json"]],
  ];
  for (const [table, key, accepted] of words) {
    test(`${table}.${key} takes ${accepted.join(", ")}`, async () => {
      for (const word of accepted)
        expect(await problemFor([table, key], `"${word}"`)).toBeUndefined();
      expect(await problemFor([table, key], `"${accepted[0]!.toUpperCase()}"`)).toStartWith(
        "found ",
      );
    });
  }
});

test("modes are octal in three spellings", async () => {
  using fixture = new FixtureHost();
  for (const [text, mode] of [
    ["600", 0o600],
    ["0600", 0o600],
    ["0o600", 0o600],
    ["0777", 0o777],
    ["0", 0],
  ] as const) {
    const result = await fixture.load(fileWith(["listener.unix", "mode"], `"${text}"`));
    if (!result.ok) throw new Error(result.text);
    expect(result.config.listeners[0]).toMatchObject({ mode });
  }
});

describe("varta.schema.json", () => {
  const text = readFileSync(join(import.meta.dir, "../../../varta.schema.json"), "utf8");
  // Read by another implementation, as an editor does it.
  const schema = z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]);

  test("accepts the file that loadConfig() accepts and refuses the one it refuses", () => {
    const good = { observer: { threshold: "5s" }, listener: [{ kind: "unix", path: "/a" }] };
    expect(schema.safeParse(good).success).toBe(true);
    const bad = { observer: { threshold: "5" }, listener: [{ kind: "unix", path: "/a", port: 1 }] };
    const paths = schema.safeParse(bad).error?.issues.map(({ path }) => path.join("."));
    expect(new Set(paths)).toEqual(new Set(["observer.threshold", "listener.0"]));
  });

  test("accepts the default of every key", () => {
    const tables = Object.entries(TABLES).map(([table, keys]): [string, object] => {
      const rows = Object.entries<Key>(keys).filter(([, { byDefault }]) => byDefault !== undefined);
      return [table, Object.fromEntries(rows.map(([name, { byDefault }]) => [name, byDefault]))];
    });
    expect(schema.safeParse(Object.fromEntries(tables)).error?.issues).toBeUndefined();
  });

  test("is what scripts/generate_schema.ts writes", () => {
    expect(text).toBe(jsonSchemaText());
  });
});
