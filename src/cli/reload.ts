// "varta-watch reload": has the daemon read its file again, and waits for the end (spec 17). What
// changed, or every problem, is printed; 78 says that nothing was applied, so that `systemctl
// reload` fails.
import type { ReloadResult } from "../view/reload_view.ts";
import { notAnswered, pathOf } from "./asking.ts";
import { ask, RELOAD_PATIENCE_MS } from "./control_client.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { jsonLine } from "./screens/plain.ts";
import { reloadScreen } from "./screens/reload.ts";
import { thisScreen } from "./this_screen.ts";

export async function run(invocation: Invocation): Promise<number> {
  const screen = thisScreen(invocation);
  const request = { do: "reload", dry_run: ownFlag(invocation, "dry-run") };
  const lines: string[] = [];
  const answer = ask(pathOf(invocation), request, {
    screen,
    patienceMs: RELOAD_PATIENCE_MS,
    onLine: (line) => lines.push(line),
  });
  if (!answer.ok) return notAnswered(answer, invocation);
  const result = JSON.parse(lines.at(-1)!) as ReloadResult;
  const { stdout, error, hint, exitCode } = reloadScreen(result, screen, !process.stdout.isTTY);
  if (ownFlag(invocation, "json")) {
    print(jsonLine(result));
    return exitCode;
  }
  print(stdout);
  if (error !== "") printError(error);
  if (hint !== "") printHint(hint);
  return exitCode;
}
