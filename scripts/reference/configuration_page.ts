// docs/configuration.md: every key by table, from the rows of src/config/keys/. What a key is good
// for and what it risks is explained in varta.toml.example.
import { alternatives } from "../../src/config/problems/found.ts";
import { AGENT_KEYS } from "../../src/config/keys/agent_keys.ts";
import type { Key, Keys } from "../../src/config/keys/key.ts";
import { LISTENER_KEYS, LISTENER_KINDS } from "../../src/config/keys/listener_keys.ts";
import { PLAN_KEYS, PLANNED_KEYS } from "../../src/config/keys/plan_keys.ts";
import { STEP_KEYS } from "../../src/config/keys/recovery_step.ts";
import { TABLE_ORDER, TABLES } from "../../src/config/keys/tables.ts";

const INTRODUCTION = `# Configuration keys

<!-- "npm run schema" writes this page from src/config/keys/. -->

Every key of varta.toml, in the order of the file. \`varta.toml.example\`, which is also the manual page varta.toml(5),
says at length what each is good for and what it risks; [spec/07-config.md](spec/07-config.md) has the rules between
keys, the options that set them, and the words of every problem. \`varta-watch check -c FILE --print\` shows the values
in force and what set each.

- A *duration* is a string such as "500ms", "1.5s", "10m" or "1h": whole milliseconds, at most 90 days. A key K that
  takes one may be written as K_ms with an integer of milliseconds instead.
- A path is absolute; that of a socket has at most 107 bytes, 103 on macOS. That of a secret file may be "\${CREDENTIALS_DIRECTORY}/NAME".
- *Change* is how a changed value is taken over: \`live\` = by SIGHUP, while the daemon runs, \`restart\` = only by a new
  start. A file that changes a \`restart\` key is refused by SIGHUP as a whole ([spec/17-reload.md](spec/17-reload.md)).
`;

export function configurationPage(): string {
  const tables = TABLE_ORDER.flatMap((name) => {
    if (name === "listener") return listenerSections();
    if (name === "agent") return [section("[[agent]]", AGENT_KEYS)];
    const steps = name === "recovery" ? [stepSection(), planSection()] : [];
    return [section(`[${name}]`, TABLES[name]), ...steps];
  });
  return [INTRODUCTION, ...tables].join("\n");
}

function listenerSections(): string[] {
  return LISTENER_KINDS.map((kind) =>
    section(`[[listener]] of kind "${kind}"`, LISTENER_KEYS[kind]),
  );
}

function section(title: string, keys: Keys): string {
  const rows = Object.entries(keys).map(([name, key]) => keyRow(name, key));
  return table(title, ["key", "takes", "default", "unit", "change", "meaning"], rows);
}

function keyRow(name: string, key: Key): string[] {
  const { form, help, unit } = key;
  return [`\`${name}\``, form.takes, defaultText(key), unit ?? "", changeText(key), help];
}

function changeText({ reload, liveMax }: Key): string {
  return liveMax === undefined ? `\`${reload}\`` : `\`${reload}\` up to ${liveMax}`;
}

function defaultText({ required, computed, byDefault }: Key): string {
  if (required === true) return "required";
  if (byDefault === undefined) return computed ?? "none";
  return `\`${JSON.stringify(byDefault)}\``;
}

function stepSection(): string {
  const names = Object.keys(STEP_KEYS).map((name) => `\`${name}\``);
  const rows = Object.entries(STEP_KEYS).map(([name, { form, help }]) => [
    `\`${name}\``,
    form.takes,
    help,
  ]);
  const title = "[[recovery.step]]";
  const about = `Each has exactly one of ${alternatives(names, "and")}.`;
  return table(title, ["key", "takes", "meaning"], rows, about);
}

function planSection(): string {
  const steps = "Steps are tables [[recovery.plan.step]].";
  const own = { name: PLAN_KEYS.name };
  const rows = Object.entries<Key>(own).map(([name, key]) => keyRow(name, key));
  const planned = Object.keys(PLANNED_KEYS).map((name) => `\`${name}\``);
  const about =
    `A plan that a rule may name. Beside its name it takes the keys ${alternatives(planned, "and")} of\n` +
    `[recovery], with the same forms; what it does not set comes from there. ${steps}`;
  const columns = ["key", "takes", "default", "unit", "change", "meaning"];
  return table("[[recovery.plan]]", columns, rows, about);
}

function table(title: string, columns: string[], rows: string[][], about = ""): string {
  const lines = [columns, columns.map(() => "---"), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  return `## ${title}\n\n${about === "" ? "" : `${about}\n\n`}${lines.join("\n")}\n`;
}
