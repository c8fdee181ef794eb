// Configuration files that went through a shredder: the example and every fixture, with lines
// moved, words replaced and bytes damaged. Loading must come to an end without an exception; what
// it reports must point into the file, fit on a screen and show no secret.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escapeUnprintable } from "../../src/base/unprintable.ts";
import { CONFIG_OPTIONS } from "../../src/config/options.ts";
import type { GivenOption, LoadFailure } from "../../src/config/load_result.ts";
import { loadConfig } from "../../src/config/load.ts";
import { FixtureHost, KEY } from "../config/fixture_host.ts";
import type { Random } from "../simulation/random.ts";
import { damage } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const ROOT = join(import.meta.dir, "../..");
const FIXTURES = join(ROOT, "test/fixtures/config/bad");
const PROBLEMS_SHOWN_MAX = 50;
const WORDS_CHARACTERS_MAX = 2_000;

/** Words that matter to a parser of TOML, or to this configuration. */
const WORDS: readonly string[] = [
  ...["[", "]", "[[", "]]", "{", "}", "=", ",", ".", "#", "'''", '"""', "'", '"', "\\", "\\u0000"],
  ...[
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\0",
    "\ufeff",
    "\u2028",
    "\u202e",
    "\u009b",
    "\u00a0",
    "\u0435",
    "\u{1f600}",
    "\ud800",
    "-",
    "+",
    "_",
  ],
  ...["0", "-1", "1e999", "0x7fffffffffffffff", "9223372036854775808", "1_000", "inf", "nan"],
  ...[
    "true",
    "false",
    "1979-05-27T07:32:00Z",
    '"5s"',
    '"0ms"',
    '"90d"',
    "[listener]",
    "[[listener]]",
  ],
  ...["[observer]", "[recovery]", 'kind = "secure-udp"', 'key_file = "/etc/varta/good.key"'],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "[__proto__]", "a.b.c.d = 1"],
  "[".repeat(300),
  `x = ${"[".repeat(300)}${"]".repeat(300)}`,
  "a".repeat(5_000),
];

export class ConfigTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #corpus: readonly string[];
  readonly #fixture = new FixtureHost();

  constructor() {
    const names = readdirSync(FIXTURES).filter((name) => name.endsWith(".toml"));
    const texts = names.map((name) => readFileSync(join(FIXTURES, name), "utf8"));
    this.#corpus = [readFileSync(join(ROOT, "varta.toml.example"), "utf8"), ...texts];
    this.#fixture.writeSecrets();
  }

  async round(random: Random): Promise<void> {
    const bytes = this.#shredded(random);
    const configFile = join(this.#fixture.directory, "varta.toml");
    writeFileSync(configFile, bytes);
    const given = random.chance(0.15) ? [anyOption(random)] : [];
    const result = await loadConfig({ configFile, given, host: this.#fixture.host });
    count(this, result.ok ? "good" : `exit ${result.exitCode}`);
    if (!result.ok) this.#check(result, new TextDecoder().decode(bytes).split("\n"), given);
  }

  [Symbol.dispose](): void {
    this.#fixture[Symbol.dispose]();
  }

  #shredded(random: Random): Uint8Array {
    let text = random.pick(this.#corpus).replaceAll("/etc/varta", this.#fixture.directory);
    for (let cuts = 1 + random.below(4); cuts > 0; cuts--) text = this.#cut(random, text);
    const bytes = new TextEncoder().encode(text);
    if (random.chance(0.2)) damage(random, bytes);
    return bytes;
  }

  #cut(random: Random, text: string): string {
    const lines = text.split("\n");
    const at = random.below(lines.length);
    const offset = random.below(text.length + 1);
    switch (random.below(7)) {
      case 0:
        return lines.toSpliced(at, 1 + random.below(4)).join("\n");
      case 1:
        return lines.toSpliced(at, 0, lines[random.below(lines.length)]!).join("\n");
      case 2:
        return lines.toSpliced(at, 0, random.pick(WORDS)).join("\n");
      case 3:
        return text.slice(0, offset) + random.pick(WORDS) + text.slice(offset);
      case 4:
        return text.slice(0, offset) + random.pick(WORDS) + text.slice(offset + random.below(12));
      case 5:
        // The value of a line becomes another one.
        return lines
          .with(
            at,
            lines[at]!.replace(/=.*/, () => `= ${random.pick(WORDS)}`),
          )
          .join("\n");
      default:
        return text.slice(0, offset) + random.pick(this.#corpus).slice(random.below(500));
    }
  }

  #check(
    { problems, text }: LoadFailure,
    source: readonly string[],
    given: readonly GivenOption[],
  ): void {
    if (problems.length === 0) throw new Error("a failure without a problem");
    for (const problem of problems) {
      const { line, column } = problem;
      if (line === undefined || column === undefined) continue;
      if (
        line < 1 ||
        line > source.length ||
        column < 1 ||
        column > [...source[line - 1]!].length + 1
      )
        throw new Error(`a place that is not in the file: ${line}:${column} ${problem.text}`);
    }
    if (text.toLowerCase().includes(KEY.toLowerCase().slice(0, 16)))
      throw new Error(`a secret in a message: ${text}`);
    if (!text.endsWith("\n")) throw new Error("a message without its end");
    const lines = text.slice(0, -1).split("\n");
    const shown = Math.min(problems.length, PROBLEMS_SHOWN_MAX);
    same("lines", lines.length, shown + 1 + (problems.length > PROBLEMS_SHOWN_MAX ? 1 : 0));
    // A message repeats a key or a path, and cuts values.
    const repeated = [...source, ...given.map(({ value }) => value)];
    const charactersMax = WORDS_CHARACTERS_MAX + Math.max(...repeated.map((each) => each.length));
    for (const each of lines) {
      if (each.length > charactersMax) throw new Error(`a line of ${each.length} characters`);
      if (escapeUnprintable(each) !== each)
        throw new Error(`what a terminal would obey in ${Bun.inspect(each)}`);
    }
  }
}

function anyOption(random: Random): GivenOption {
  const { name } = random.pick(CONFIG_OPTIONS);
  return { name, value: random.chance(0.5) ? random.pick(WORDS) : String(random.u32()) };
}
