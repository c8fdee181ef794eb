import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { doctorScreen } from "../../../src/cli/screens/doctor.ts";
import type { Finding, Result } from "../../../src/doctor/check.ts";
import { exitStatusFinding } from "../../../src/doctor/checks/exit_status.ts";
import { alertsFinding } from "../../../src/doctor/checks/alerts.ts";
import { polkitFinding } from "../../../src/doctor/checks/polkit.ts";
import { queueFinding } from "../../../src/doctor/checks/queue_length.ts";
import { unnamedFinding } from "../../../src/doctor/checks/rules.ts";
import { dropIn } from "../../../src/doctor/words.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { printedScreens, terminal } from "./printed.ts";

const PASSED: readonly Result[] = Array.from({ length: 34 }, (_, index) => ({
  check: `check_${index}`,
  result: "passed",
}));

// What the checks themselves say of the host that is drawn.
const FOUND: readonly (Finding | undefined)[] = [
  queueFinding({
    holds: 10,
    setting: 10,
    full: 0,
    members: 68,
    areExpected: false,
    beatsPerS: 12,
    unit: "varta-watch",
  }),
  polkitFinding({
    hasPolkit: true,
    plans: [{ plan: "restart", count: 3, refused: ["worker@*.service", "billing.service"] }],
  }),
  alertsFinding({ at: "127.0.0.1:9090", isLoaded: false }),
  exitStatusFinding({ isTold: false, kernel: "6.12.48+deb13-amd64" }),
  unnamedFinding({
    agents: ["uid-1001", "10.0.4.20/811", "convert"],
    count: 3,
    pid: 7719,
    thresholdMs: 5_000,
    recovers: false,
  }),
];

// In another order than that of the screen.
const RESULTS: readonly Result[] = [
  { check: "capabilities", result: "left_out", needs: "root" },
  { check: "alerts_elsewhere", result: "not_asked" },
  ...[3, 4, 0, 1, 2].map(
    (at): Result => ({ check: `finding_${at}`, result: "found", finding: FOUND[at]! }),
  ),
  { check: "polkit", result: "left_out", needs: "root" },
  ...PASSED.slice(0, 27),
];

const SCREENS: Readonly<Record<string, readonly Result[]>> = {
  nothing: PASSED,
  findings: RESULTS,
};

test.each([...printedScreens("doctor.txt")])("doctor prints %s as it is drawn", (name, drawn) => {
  const [block, width] = name.split(", ");
  const view = { host: "mill-2", results: SCREENS[block!]! };
  expect(doctorScreen(view, terminal(Number(width)))).toBe(drawn);
});

test("colours move nothing, and only the kind of a finding has one", () => {
  const view = { host: "mill-2", results: RESULTS };
  const coloured = doctorScreen(view, terminal(80, { colour: true }));
  expect(Bun.stripANSI(coloured)).toBe(doctorScreen(view, terminal(80)));
  expect(coloured).toContain("\n\x1b[31mfault\x1b[0m    The receive");
});

test("what others have named cannot command the terminal", () => {
  const finding: Finding = { ...FOUND[0]!, found: "\x1b[2Ja \u202eb", fix: { run: ["\x07"] } };
  const results: Result[] = [{ check: "one", result: "found", finding }];
  expect(doctorScreen({ host: "\x1b]", results }, terminal(80))).not.toMatch(
    /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/,
  );
});

test("no line is wider than the terminal, and a folded command can be pasted", () => {
  const text = doctorScreen({ host: "mill-2", results: RESULTS }, terminal(60));
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
  expect(text.replaceAll(/ \\\n */g, " ")).toContain(
    "fix: echo net.unix.max_dgram_qlen=512 > /etc/sysctl.d/60-varta.conf\n",
  );
});

test("a folded command does what it would do in one line", () => {
  using directory = new TemporaryDirectory();
  const file = directory.at("a-directory-whose-name-is-wider-than-the-terminal.conf");
  const [, write] = dropIn("x", "AmbientCapabilities=CAP_SYS_PTRACE CAP_KILL").run;
  const line = write!.replace(/\S+$/, file);
  const finding: Finding = { ...FOUND[0]!, fix: { run: [line] } };
  const results: Result[] = [{ check: "one", result: "found", finding }];
  const text = doctorScreen({ host: "mill-2", results }, terminal(40));
  const pasted = text.slice(text.indexOf("fix: ") + 5);
  expect(pasted).toContain(" \\\n");
  expect(Bun.spawnSync(["sh", "-c", pasted]).exitCode).toBe(0);
  expect(readFileSync(file, "utf8")).toBe(
    "[Service]\nAmbientCapabilities=CAP_SYS_PTRACE CAP_KILL\n",
  );
});
