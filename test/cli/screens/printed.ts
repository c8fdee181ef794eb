// The screens as they are to be printed: blocks of a text file, each with a name and the width of
// its terminal.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, Screen } from "../../../src/cli/screens/screen.ts";
import type { Zone } from "../../../src/cli/screens/times.ts";

/** The zone in which they are drawn. */
const CET: Zone = { nameAt: () => "CET", offsetMinutesAt: () => 60 };

export function terminal(width: number, other: Partial<Screen> = {}): Screen {
  return { width, colour: false, ascii: false, zone: CET, ...other };
}

/** Blocks by "NAME, WIDTH". */
export function printedScreens(file: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(import.meta.dir, file), "utf8");
  const blocks = text.split(/^## (.*)\n/m).slice(1);
  const screens = new Map<string, string>();
  for (let at = 0; at < blocks.length; at += 2) screens.set(blocks[at]!, blocks[at + 1]!);
  return screens;
}

/** Both streams, and the exit code where it is not 0, in the order in which they are read. */
export function transcript(
  { stdout, error, hint, exitCode }: Outcome,
  order: "error first" | "error last",
) {
  const errors = [
    ...(error === "" ? [] : [`varta-watch: error: ${error}\n`]),
    ...(hint === "" ? [] : [`varta-watch: hint: ${hint}\n`]),
  ].join("");
  const code = exitCode === 0 ? "" : `exit ${exitCode}\n`;
  return (order === "error first" ? errors + stdout : stdout + errors) + code;
}
