// "varta-watch status": what the daemon knows of its agents (spec 16 section 7). On a terminal a
// table that people read, in a pipe one line per agent; --json prints the answer as it came.
import type { MembersView, StatusView } from "../view/status_view.ts";
import { type Answer, ask, controlPath } from "./control_client.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { membersScreen } from "./screens/members.ts";
import { plainMembers, plainStatus } from "./screens/plain.ts";
import { statusScreen } from "./screens/status.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_USAGE = 64;
/** For Nagios and the like. */
const CHECK_OK = 0;
const CHECK_WARNING = 1;
const CHECK_CRITICAL = 2;
const CHECK_UNKNOWN = 3;

export async function run(invocation: Invocation): Promise<number> {
  const agent = invocation.operands[0];
  const wantsMembers = ownFlag(invocation, "members");
  const isCheck = ownFlag(invocation, "exit-code");
  if (wantsMembers && agent === undefined) {
    printError("found --members without an agent; want one, as in: status AGENT --members");
    printHint("varta-watch status");
    return EXIT_USAGE;
  }
  const path = ownText(invocation, "control") ?? controlPath(process.env);
  const stalled = ownFlag(invocation, "stalled") || undefined;
  const screen = thisScreen(invocation);
  const request = wantsMembers ? { do: "members", agent } : { do: "status", agent, stalled };
  const answer = ask(path, request, { screen });
  if (!answer.ok) return notAnswered(answer, isCheck);
  const [line] = answer.lines as [string];
  const isPlain = ownFlag(invocation, "plain") || !isForPeople(invocation);
  if (ownFlag(invocation, "json")) print(`${line}\n`);
  else if (wantsMembers) {
    const view = JSON.parse(line) as MembersView;
    print(isPlain ? plainMembers(view) : membersScreen(view, screen));
  } else {
    const view = JSON.parse(line) as StatusView;
    const all = ownFlag(invocation, "all");
    print(isPlain ? plainStatus(view) : statusScreen(view, screen, { all }));
  }
  return isCheck ? checkCode(line, wantsMembers) : CHECK_OK;
}

function isForPeople(invocation: Invocation): boolean {
  return ownFlag(invocation, "human") || process.stdout.isTTY === true;
}

function notAnswered(answer: Answer & { ok: false }, isCheck: boolean): number {
  printError(answer.error);
  if (answer.hint !== "") printHint(answer.hint);
  print(answer.stdout);
  return isCheck ? CHECK_UNKNOWN : answer.exitCode;
}

/** What is muted counts as ok. */
function checkCode(line: string, isOfMembers: boolean): number {
  const agents = isOfMembers
    ? [(JSON.parse(line) as MembersView).agent]
    : (JSON.parse(line) as StatusView).agents;
  const states = agents.filter(({ muted }) => !muted).map(({ state }) => state);
  if (states.some((state) => ["stalled", "missing", "critical"].includes(state)))
    return CHECK_CRITICAL;
  return states.some((state) => state === "late" || state === "degraded")
    ? CHECK_WARNING
    : CHECK_OK;
}
