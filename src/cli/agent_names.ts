// The names of live agents, for the scripts that complete a command line: quick, and without a word
// where there is no answer, since a person is typing.
import { pathOf } from "./asking.ts";
import { ask } from "./control_client.ts";
import type { Invocation } from "./invocation.ts";
import { print } from "./output.ts";
import { thisScreen } from "./this_screen.ts";

/** Whoever presses Tab waits for so long, and then goes on typing. */
const PATIENCE_MS = 300;
/** What a name may have (spec 15 section 2): nothing that a shell would look at twice. */
const NAME = /^[A-Za-z0-9_.@:%/-]{1,128}$/;

export function printAgentNames(invocation: Invocation): void {
  const prefix = invocation.operands[0] || undefined;
  const screen = thisScreen(invocation);
  const answer = ask(
    pathOf(invocation),
    { do: "names", prefix },
    { screen, patienceMs: PATIENCE_MS },
  );
  if (!answer.ok) return;
  const { names } = JSON.parse(answer.lines[0] ?? "{}") as { names?: readonly unknown[] };
  for (const name of names ?? [])
    if (typeof name === "string" && NAME.test(name)) print(`${name}\n`);
}
