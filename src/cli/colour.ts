// Whether output may have colours: only on a terminal that knows them, and only if nothing forbids
// it (no-color.org).

interface ColourQuestion {
  readonly isTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** --no-color was given. */
  readonly refused: boolean;
}

let refusedByOption = false;

/** Called once, when the command line is known. */
export function refuseColour(): void {
  refusedByOption = true;
}

export function wantsColour({ isTerminal, env, refused }: ColourQuestion): boolean {
  const { NO_COLOR = "", TERM } = env;
  return isTerminal && !refused && NO_COLOR === "" && TERM !== "dumb";
}

export function stdoutHasColour(): boolean {
  return wantsColour(questionOf(process.stdout.isTTY === true));
}

export function stderrHasColour(): boolean {
  return wantsColour(questionOf(process.stderr.isTTY === true));
}

function questionOf(isTerminal: boolean): ColourQuestion {
  return { isTerminal, env: process.env, refused: refusedByOption };
}
