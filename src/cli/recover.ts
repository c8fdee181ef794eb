// "varta-watch recover": a recovery that somebody asks for, shown as it goes, or what it would find
// and do (spec 16 section 9).
import type { RecoverDryRun, RecoveryBegun } from "../view/act_views.ts";
import type { EventView } from "../view/event_view.ts";
import { notAnswered, pathOf, wrongUse } from "./asking.ts";
import { ask } from "./control_client.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { print } from "./output.ts";
import { jsonLine } from "./screens/plain.ts";
import { dryRunScreen, recoveryHead, recoveryLine } from "./screens/recover.ts";
import type { Screen } from "./screens/screen.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_REFUSED = 1;

export async function run(invocation: Invocation): Promise<number> {
  const [target] = invocation.operands;
  if (target === undefined)
    return wrongUse("found no agent and no pid; want one of them", "varta-watch help recover");
  const force = ownFlag(invocation, "force") || undefined;
  if (ownFlag(invocation, "dry-run")) return dryRun(invocation, { do: "gates", target, force });
  const no_wait = ownFlag(invocation, "no-wait") || undefined;
  return recover(invocation, { do: "recover", target, force, no_wait });
}

function dryRun(invocation: Invocation, request: object): number {
  const screen = thisScreen(invocation);
  const answer = ask(pathOf(invocation), { ...request }, { screen });
  if (!answer.ok) return notAnswered(answer, invocation);
  const view = JSON.parse(answer.lines[0]!) as RecoverDryRun;
  print(ownFlag(invocation, "json") ? jsonLine(view) : dryRunScreen(view, screen));
  return view.refused === null ? 0 : EXIT_REFUSED;
}

function recover(invocation: Invocation, request: object): number {
  const screen = thisScreen(invocation);
  let didHelp = true;
  const onLine = (line: string): void => {
    const view = JSON.parse(line) as RecoveryBegun | EventView;
    if ("kind" in view) didHelp &&= !isFailure(view);
    print(ownFlag(invocation, "json") ? jsonLine(view) : lineOf(view, screen));
  };
  const answer = ask(pathOf(invocation), { ...request }, { screen, onLine });
  if (!answer.ok) return notAnswered(answer, invocation);
  return didHelp ? 0 : EXIT_REFUSED;
}

function lineOf(view: RecoveryBegun | EventView, screen: Screen): string {
  if (!("kind" in view)) return recoveryHead(view, screen);
  return recoveryLine(view, new Date().toISOString(), screen);
}

/** It did not help, or did not even begin: the daemon could not ask the service manager. */
function isFailure({ recovery }: EventView): boolean {
  if (recovery === undefined) return false;
  const { what, id } = recovery;
  return what === "not_helped" || (what === "refused" && id === 0);
}
