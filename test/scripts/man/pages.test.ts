// The manual pages: everything that can be typed is in them, and the tools that show them have
// nothing to complain about.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { auditPage } from "../../../scripts/man/audit_page.ts";
import { configPage } from "../../../scripts/man/config_page.ts";
import { readExample } from "../../../scripts/man/example_file.ts";
import { definitions, textLines } from "../../../scripts/man/mdoc.ts";
import { programPage } from "../../../scripts/man/program_page.ts";
import { COLUMNS, COMPLETE_COLUMNS_CAPTURED } from "../../../src/audit/row.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../../../src/cli/commands.ts";
import { CONFIG_OPTIONS } from "../../../src/config/options.ts";
import { LISTENER_KEYS } from "../../../src/config/keys/listener_keys.ts";
import { TABLES } from "../../../src/config/keys/tables.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const PAGES: readonly (readonly [string, () => string])[] = [
  ["varta-watch.8", programPage],
  ["varta.toml.5", configPage],
  ["varta-audit.5", auditPage],
];

describe("varta-watch(8)", () => {
  const page = programPage();

  test("has every command, option and exit code", () => {
    for (const { name, own, exits } of COMMANDS) {
      expect(page).toContain(`\n.Ss ${name}\n`);
      for (const option of own) expect(page).toMatch(itemOf(option.name));
      for (const [code] of exits) expect(page).toContain(`\n.It ${code}\n`);
    }
    for (const option of [...GLOBAL_OPTIONS, ...CONFIG_OPTIONS])
      expect(page).toMatch(itemOf(option.name));
  });

  test("says which key an option sets", () => {
    expect(page).toContain(
      ".It Fl -max-beat-rate Ar N\nbeats/s per process (100; 0 = off)\n.br\nSets\n.Ic limits.per_pid_rate .\n",
    );
  });
});

describe("varta.toml(5)", () => {
  const page = configPage();

  test("has every table and key", () => {
    for (const [table, shape] of Object.entries(TABLES)) {
      expect(page).toContain(`\n.Ss [${table}]\\&\n`);
      for (const key of keysOf(shape)) expect(page).toMatch(keyItemOf(key));
    }
    const perKind = page.split("\n.Ss [[listener]]\\&\n").slice(1);
    expect(perKind).toHaveLength(Object.keys(LISTENER_KEYS).length);
    for (const shape of Object.values(LISTENER_KEYS))
      for (const key of keysOf(shape)) expect(page).toMatch(keyItemOf(key));
  });

  test("tells defaults from examples", () => {
    expect(page).toContain('Default:\n.Dl "threshold = \\(dq5s\\(dq"\n');
    expect(page).toContain('Example:\n.Dl "listen = \\(dq127.0.0.1:9469\\(dq"\n');
    expect(page).toContain('Example:\n.Dl "accept_plaintext = true"\n');
  });
});

describe("varta-audit(5)", () => {
  test("explains every column of every kind of record", () => {
    const page = auditPage();
    const all = [...Object.values(COLUMNS).flat(), ...COMPLETE_COLUMNS_CAPTURED];
    for (const column of new Set(all)) {
      if (column !== "kind") expect(page).toMatch(keyItemOf(column));
    }
    for (const kind of Object.keys(COLUMNS)) expect(page).toContain(`\n.It Ic ${kind}\n`);
  });
});

describe("every page", () => {
  test.skipIf(Bun.which("mandoc") === null)("is clean for mandoc -T lint (needs mandoc)", () => {
    for (const [name, page] of PAGES) {
      const said = run(["mandoc", "-T", "lint"], name, page());
      // Pages of other packages need not be installed here.
      expect(
        said
          .split("\n")
          .filter((line) => !/referenced manual not found|outdated mandoc\.db|^$/.test(line)),
      ).toEqual([]);
    }
  });

  test.skipIf(Bun.which("man") === null)("is shown by man without a warning (needs man)", () => {
    for (const [name, page] of PAGES) {
      const shown = run(["man", "--warnings", "-E", "UTF-8", "-l"], name, page());
      expect(shown).toContain("SEE ALSO");
      expect(shown).not.toContain("warning:");
    }
  });
});

describe("readExample()", () => {
  test("reads sections, tables and keys with the comments above them", () => {
    const text = [
      "# About the file.",
      "",
      "# --- One -------",
      "#",
      "# About one.",
      "",
      "# About the table.",
      "[table]",
      "",
      "# First line,",
      "# second line.",
      "#   word   its meaning",
      "#a = 1",
      "b = [2]",
      "",
    ].join("\n");
    expect(readExample(text)).toEqual({
      introduction: [{ is: "paragraph", text: "About the file." }],
      sections: [
        {
          title: "One",
          about: [{ is: "paragraph", text: "About one." }],
          tables: [
            {
              header: "[table]",
              about: [{ is: "paragraph", text: "About the table." }],
              entries: [
                {
                  about: [
                    { is: "paragraph", text: "First line, second line." },
                    { is: "lines", lines: ["word   its meaning"] },
                  ],
                  keys: [
                    { name: "a", value: "1", isSet: false },
                    { name: "b", value: "[2]", isSet: true },
                  ],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test("refuses a line that it cannot place", () => {
    expect(() => readExample("what is this")).toThrow("what is this");
    expect(() => readExample("# --- One ---\n\n#a = 1\n")).toThrow("a is in no table");
  });
});

describe("mdoc text", () => {
  test("textLines() puts each sentence on a line of its own and escapes what troff would obey", () => {
    expect(textLines('One. "Two" a\\b.\n.three')).toBe('One.\n"Two" a\\eb. .three');
    expect(textLines(".Sh")).toBe("\\&.Sh");
    expect(
      textLines("word ".repeat(40))
        .split("\n")
        .every((line) => line.length <= 78),
    ).toBe(true);
  });

  test("definitions() makes a list of words with meanings, and keeps other lines as they are", () => {
    expect(definitions(["a b  first", "     second", "c    third"])).toBe(
      [
        ...[".Bl -tag -width Ds -offset indent", '.It Li "a b"', "first second"],
        ...[".It Li c", "third", ".El"],
      ].join("\n"),
    );
    expect(definitions(["varta-watch check"])).toBe(
      ".Bd -literal -offset indent\nvarta\\-watch check\n.Ed",
    );
  });
});

function itemOf(option: string): RegExp {
  return new RegExp(`^\\.It (Fl . (Ar \\S+ )?, )?Fl -${option}( |$)`, "m");
}

function keyItemOf(key: string): RegExp {
  return new RegExp(`^\\.It (Ic [a-z_]+ , )*Ic ${key}( ,|$)`, "m");
}

/** Keys without their aliases in milliseconds. */
function keysOf(shape: object): string[] {
  const keys = Object.keys(shape);
  return keys.filter((key) => !keys.includes(key.replace(/_ms$/, "")) || !key.endsWith("_ms"));
}

function run(argv: readonly string[], name: string, page: string): string {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.at(name), page);
  const { stdout, stderr } = Bun.spawnSync([...argv, directory.at(name)], {
    env: { ...process.env, MANPAGER: "cat", MANWIDTH: "80" },
  });
  return stdout.toString() + stderr.toString();
}
