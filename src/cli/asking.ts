// What the commands that ask the daemon have in common: where they ask, one request with one line
// of an answer, and what is said where there is none.
import { configuredPlaces } from "./configured_places.ts";
import { type Answer, ask, controlPath } from "./control_client.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { jsonLine } from "./screens/plain.ts";
import type { Screen } from "./screens/screen.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_USAGE = 64;

type Request = Readonly<Record<string, unknown>>;

/** Asks, and prints the answer as `shown` has it; the exit code. */
export function actOn<View extends object>(
  invocation: Invocation,
  request: Request,
  shown: (view: View, screen: Screen) => string,
): number {
  const screen = thisScreen(invocation);
  const answer = ask(pathOf(invocation), request, { screen });
  if (!answer.ok) return notAnswered(answer, invocation);
  const view = JSON.parse(answer.lines[0]!) as View;
  print(ownFlag(invocation, "json") ? jsonLine(view) : shown(view, screen));
  return 0;
}

export function pathOf(invocation: Invocation): string {
  const { configFile } = invocation;
  const configured = configFile === undefined ? undefined : configuredPlaces(configFile)?.control;
  return ownText(invocation, "control") ?? configured ?? controlPath(process.env);
}

export function notAnswered(answer: Answer & { ok: false }, invocation: Invocation): number {
  printError(answer.error);
  if (answer.hint !== "") printHint(answer.hint);
  // What is known without the daemon is for people: a parser finds nothing, and the exit code.
  if (!ownFlag(invocation, "json")) print(answer.stdout);
  return answer.exitCode;
}

export function wrongUse(error: string, hint: string): number {
  printError(error);
  printHint(hint);
  return EXIT_USAGE;
}

/** Whom a command is about, or the exit code: it names one, or all. */
export function whom(invocation: Invocation, command: string): Request | number {
  const [target] = invocation.operands;
  const all = ownFlag(invocation, "all") || undefined;
  if ((target === undefined) === (all === undefined)) {
    const found = all === undefined ? "no agent" : "an agent and --all";
    const error = `found ${found}; want one of them, as in: ${command} AGENT`;
    return wrongUse(error, `varta-watch help ${command}`);
  }
  return { target, all };
}
