// The configurations that the pages show: people copy them, so each is right, and the first of the
// README needs nothing that a new machine has not.
import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/binary/target.ts";
import { runCommand } from "../support/command.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { FixtureHost, KEY } from "./fixture_host.ts";

setDefaultTimeout(TEST_MS_MAX);

interface Shown {
  readonly page: string;
  readonly toml: string;
}

/** It is there to be refused: the messages follow it. */
const OF_PROBLEMS = 'clock_sorce = "boottime"';

const pages = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const shown = pages.flatMap(shownOn).filter(({ toml }) => !toml.includes(OF_PROBLEMS));

function shownOn(page: string): Shown[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^```toml\n(.*?)^```/gms)].map(([, toml]) => ({ page, toml: toml! }));
}

const firstLine = (toml: string): string => toml.split("\n").find((line) => line !== "")!;

test("the pages show configurations", () => {
  expect(shown.length).toBeGreaterThan(7);
});

for (const [at, { page, toml }] of shown.entries()) {
  test(`${page} shows a configuration without problems (${at + 1}: ${firstLine(toml)})`, async () => {
    using fixture = new FixtureHost();
    for (const name of ["agents.key", "edge.key", "audit.key", "metrics.token"])
      fixture.write(name, KEY);
    fixture.write("edge-old.keys", "1".repeat(64));
    const result = await fixture.load(toml);
    expect(result.ok ? "" : result.text).toBe("");
  });
}

/** Hides what is installed here, in a mount namespace of its own. */
const AS_ON_A_NEW_MACHINE = [
  ...["unshare", "--mount", "sh", "-c"],
  'for each in /run /etc/systemd/system; do mount -t tmpfs none $each; done; exec "$@"',
  "new-machine",
];

const canHide =
  Bun.spawnSync([...AS_ON_A_NEW_MACHINE, "true"], { stderr: "ignore" }).exitCode === 0;
const asItIs = canHide ? "" : " (as this one is: only root can hide what is installed)";

test(`"check" is content with the useful file of the README on a new machine${asItIs}`, async () => {
  using directory = new TemporaryDirectory();
  const file = join(directory.path, "varta.toml");
  const { toml } = shown.find(({ page }) => page === "README.md")!;
  expect(toml).toContain("[[agent]]");
  writeFileSync(file, toml);
  chmodSync(file, 0o644);
  const hidden = canHide ? AS_ON_A_NEW_MACHINE : [];
  const checked = await runCommand([...hidden, ...PROGRAM, "check", "--config", file]);
  expect(checked).toEqual({
    exitCode: 0,
    stdout: `varta-watch: no problems in ${file}\n`,
    stderr: "",
  });
});
