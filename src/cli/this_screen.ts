// The terminal that a command prints to, as the screens want to know it.
import type { Screen } from "./screens/screen.ts";
import { LOCAL, UTC } from "./screens/times.ts";
import { stdoutHasColour } from "./colour.ts";
import { type Invocation, ownFlag } from "./invocation.ts";

const WIDTH_DEFAULT = 80;

export function thisScreen(invocation: Invocation): Screen {
  return {
    width: widthOf(process.env["COLUMNS"], process.stdout.columns),
    colour: stdoutHasColour(),
    ascii: ownFlag(invocation, "ascii") || !hasUtf8(process.env),
    zone: ownFlag(invocation, "utc") ? UTC : LOCAL,
  };
}

/** Else for a program: one line per row, as `--plain` asks for and a pipe gets. */
export function isForPeople(invocation: Invocation): boolean {
  if (ownFlag(invocation, "plain")) return false;
  return ownFlag(invocation, "human") || process.stdout.isTTY === true;
}

/** COLUMNS wins over the terminal. */
export function widthOf(columns: string | undefined, ofTerminal: number | undefined): number {
  if (columns !== undefined && /^[1-9][0-9]{0,3}$/.test(columns)) return Number(columns);
  return ofTerminal !== undefined && ofTerminal > 0 ? ofTerminal : WIDTH_DEFAULT;
}

/** As the C library chooses: LC_ALL, then LC_CTYPE, then LANG. */
export function hasUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find((value) => value);
  return /utf-?8/i.test(locale ?? "");
}
