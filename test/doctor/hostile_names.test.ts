// Names that others make up: agents, units, users, files and commands with escape codes, line ends
// and quotes in them. Nothing of it reaches a terminal as it is, and no command does another thing
// than it says.
import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import type { UnitSettings } from "../../src/config/checks/unit_file.ts";
import type { ObserverStatus } from "../../src/view/status_view.ts";
import { doctorScreen } from "../../src/cli/screens/doctor.ts";
import { jsonLine } from "../../src/cli/screens/plain.ts";
import { findingsOf, runChecks } from "../../src/doctor/checks.ts";
import { polkitRule, restartedUnits } from "../../src/doctor/polkit_rule.ts";
import { dropIn } from "../../src/doctor/words.ts";
import { runCommand } from "../support/command.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { daemonSeen, memberAt, ownFacts, placeOf } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

/** Escape and a colour, C1's own begin of a command, a line end, a bidi control, a shell. */
const HOSTILE = "e\u001b[31mvil\u009b2J\r\nok\u202e'; touch x; echo \u0007";
const UNIT: UnitSettings = {
  ...{ name: `${HOSTILE}.service`, user: HOSTILE, group: HOSTILE, supplementaryGroups: [] },
  ...{ dynamicUser: false, directories: [], writablePaths: undefined, capabilities: [] },
  ...{ credentials: [], configFile: undefined, keys: new Map() },
};
// Line ends are the screen's own.
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test("are written out in every finding, in the JSON of them, and in the rule of polkit", async () => {
  using directory = new TemporaryDirectory();
  const unit = UNIT.name;
  const agents = [
    { agent: HOSTILE, memberCount: 1, members: [memberAt(process.pid, unit)] },
    { agent: "worker", plan: HOSTILE, members: [memberAt(1, unit)] },
  ];
  const rules = {
    ...{ count: 1, idle: [HOSTILE], idle_count: 1, without_count: 1 },
    without: [{ agent: HOSTILE, pid: 4_711 }],
  };
  const pause = { time: HOSTILE, length_ms: 900, cause: HOSTILE };
  const observer = { state: "ok", up_s: 3_600, paused_last: pause } as unknown as ObserverStatus;
  const own = ownFacts({ rules, paused_in_minute_ms: 30_000 });
  const daemon = daemonSeen(agents, { own, observer });
  const config = `[[listener]]
kind = "unix"
path = "DIR/varta.sock"
[[agent]]
name = "worker"
match = { uid = 1 }
[[recovery.step]]
restart_unit = "auto"
`;
  const place = await placeOf(directory, config, { daemon, unit: UNIT });
  const results = await runChecks(place);
  const findings = findingsOf(results);
  expect(findings.length).toBeGreaterThan(2);
  expect(JSON.stringify(findings)).toContain("\\u001b[31m");
  for (const width of [80, 1_000]) {
    const screen = doctorScreen({ host: HOSTILE, results }, {
      width,
      ascii: false,
      colour: false,
    } as never);
    expect(screen).not.toMatch(OBEYED);
    expect(screen).toContain("e\\u001b[31mvil");
  }
  expect(results.map((one) => jsonLine(one)).join("")).not.toMatch(OBEYED);
  const units = restartedUnits(place.config!, daemon).flatMap((one) => one.units);
  expect(polkitRule([...units, unit], HOSTILE)).not.toMatch(OBEYED);
});

test("are one word of a command that somebody pastes", async () => {
  using directory = new TemporaryDirectory();
  const name = "a\\x2d'b; touch x";
  const { run } = dropIn(name, "LimitNOFILE=9");
  const words = await runCommand(["sh", "-c", run.join("\n").replaceAll(/^(\w+) /gm, "echo $1 ")], {
    cwd: directory.path,
  });
  expect(words.stdout).toContain(`systemctl restart ${name}\n`);
});

test("of files are written out by the command, whatever is wrong with them", async () => {
  using directory = new TemporaryDirectory();
  const within = directory.at("d\u001b[31m\nx");
  mkdirSync(within);
  const file = `${within}/varta.toml`;
  const control = `${within}/control.sock`;
  writeFileSync(file, `[export]\nfile = "${"/nowhere\\u001b[31m\\n/x"}"\nnonsense\\u001b = 1\n`);
  const argv = [...PROGRAM, "doctor", "--config", file, "--control", control];
  for (const more of [[], ["--print", "polkit"]]) {
    const { stdout, stderr } = await runCommand([...argv, ...more]);
    expect(`${stdout}${stderr}`.length).toBeGreaterThan(10);
    expect(stdout).not.toMatch(OBEYED);
    expect(stderr).not.toMatch(OBEYED);
  }
});
