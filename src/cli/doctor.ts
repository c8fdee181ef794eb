// "varta-watch doctor": what is wrong with this host and this configuration, and what to do about
// it (spec 19). It asks the daemon, and does without it; it changes nothing.
import { hostname } from "node:os";
import { findingsOf, runChecks } from "../doctor/checks.ts";
import type { Result } from "../doctor/check.ts";
import type { Place } from "../doctor/place.ts";
import { polkitRule, restartedUnits } from "../doctor/polkit_rule.ts";
import { wrongUse } from "./asking.ts";
import { doctorPlace } from "./doctor_place.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { doctorScreen } from "./screens/doctor.ts";
import { jsonLine } from "./screens/plain.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_WARNING = 1;
const EXIT_FAULT = 2;
const EXIT_NOT_CHECKED = 3;

export async function run(invocation: Invocation): Promise<number> {
  const prometheus = ownText(invocation, "prometheus");
  const url = prometheus === undefined ? undefined : prometheusUrl(prometheus);
  if (url === null)
    return wrongUse(
      `--prometheus: found ${JSON.stringify(prometheus)}; want a URL, such as http://127.0.0.1:9090`,
      "varta-watch help doctor",
    );
  const screen = thisScreen(invocation);
  const place = await doctorPlace(invocation, { screen, prometheus: url });
  if (place === undefined) {
    printError("nothing can be checked: /proc is not mounted, or this is not Linux");
    printHint("mount -t proc proc /proc");
    return EXIT_NOT_CHECKED;
  }
  if (ownText(invocation, "print") !== undefined) return printPolkit(place);
  const results = await runChecks(place);
  if (ownFlag(invocation, "json")) for (const one of results) print(jsonLine(jsonOf(one)));
  else print(doctorScreen({ host: hostname(), results }, screen));
  return exitCode(results);
}

function printPolkit({ config, daemon, user }: Place): number {
  if (config === undefined) {
    printError("the configuration has problems: what plans restart is not known");
    printHint("varta-watch check");
    return EXIT_NOT_CHECKED;
  }
  const units = restartedUnits(config, daemon).flatMap((one) => one.units);
  if (units.length === 0) {
    printError("no plan restarts a unit, by its name or as that of a member that beats now");
    return EXIT_NOT_CHECKED;
  }
  print(polkitRule(units, user.name));
  return 0;
}

/** Undefined = not given; null = it is none. */
function prometheusUrl(text: string): string | null {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return url !== null && ["http:", "https:"].includes(url.protocol) ? url.href : null;
}

/** One object for each check; the fields of a finding stand beside its name. */
function jsonOf(result: Result): object {
  const { check } = result;
  if (result.result === "left_out")
    return { v: 1, check, result: result.result, needs: result.needs };
  if (result.result !== "found") return { v: 1, check, result: result.result };
  const { severity, found, effect, fix } = result.finding;
  const lines = "run" in fix ? { run: fix.run } : { words: fix.words };
  return { v: 1, check, result: "found", severity, found, effect, fix: lines };
}

function exitCode(results: readonly Result[]): number {
  const [worst] = findingsOf(results);
  if (worst === undefined)
    return results.some(({ result }) => result === "passed") ? 0 : EXIT_NOT_CHECKED;
  if (worst.severity === "fault") return EXIT_FAULT;
  return worst.severity === "warning" ? EXIT_WARNING : 0;
}
