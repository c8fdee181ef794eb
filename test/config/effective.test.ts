// What `check --print` shows is all that can be set: a key that is forgotten there would be in
// force and not shown.
import { expect, test } from "bun:test";
import { effectiveKeys, effectiveText } from "../../src/config/effective.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "../../src/config/keys/listener_keys.ts";
import { TABLES } from "../../src/config/keys/tables.ts";
import { FixtureHost } from "./fixture_host.ts";

const ONE_LISTENER_OF_EACH_KIND = `
[[listener]]
kind = "unix"
path = "/a"
[[listener]]
kind = "unix-stream"
path = "/run/varta/stream.sock"
[[listener]]
kind = "notify"
path = "/run/varta/notify.sock"
[[listener]]
kind = "udp"
port = 1
accept_plaintext = true
[[listener]]
kind = "secure-udp"
port = 2
master_key_file = "/etc/varta/good.key"
`;

test("every key of every table is in the effective configuration, a duration under its own name", async () => {
  using fixture = new FixtureHost();
  fixture.writeSecrets();
  const result = await fixture.load(ONE_LISTENER_OF_EACH_KIND);
  if (!result.ok) throw new Error(result.problems.map(({ text }) => text).join("\n"));
  const shown = new Set(effectiveKeys(result).map(({ table, key }) => `${table}.${key}`));

  const tables: [string, object][] = [
    ...Object.entries(TABLES),
    ...LISTENER_KINDS.map((kind, i): [string, object] => [`listener[${i}]`, LISTENER_KEYS[kind]]),
  ];
  const all = tables.flatMap(([table, shape]) =>
    Object.keys(shape).map((key) => `${table}.${key}`),
  );
  expect(all.length).toBeGreaterThan(80);
  const isAlias = (name: string) => name.endsWith("_ms") && shown.has(name.slice(0, -"_ms".length));
  expect(all.filter((name) => !shown.has(name) && !isAlias(name))).toEqual([]);
});

test("what a secret file has brought in is not shown, only the path of the file", async () => {
  using fixture = new FixtureHost();
  fixture.writeSecrets();
  const text = '[recovery]\ncommand_file = "/etc/varta/command"\n';
  const result = await fixture.load(text);
  if (!result.ok) throw new Error(result.text);
  expect(result.config.recovery.command).toEqual(["/usr/bin/systemctl", "restart", "app"]);
  const rows = effectiveKeys(result).filter(({ table }) => table === "recovery");
  expect(fixture.plain(String(rows.find(({ key }) => key === "command_file")?.value))).toBe(
    "/etc/varta/command",
  );
  expect(rows.find(({ key }) => key === "command")?.value).toBeUndefined();
  expect(effectiveText(result)).not.toContain("systemctl");
});
