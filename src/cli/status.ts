// "varta-watch status": what the daemon knows of its agents (spec 16 section 7). On a terminal a
// table that people read, in a pipe one line per agent; --json prints the answer as it came.
import type { MembersView, StatusView } from "../view/status_view.ts";
import { type Answer, ask, controlPath } from "./control_client.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { checkCode } from "./screens/check_code.ts";
import { membersScreen } from "./screens/members.ts";
import { jsonLine, plainMembers, plainStatus } from "./screens/plain.ts";
import { statusScreen } from "./screens/status.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_USAGE = 64;
const EXIT_OK = 0;
/** For Nagios and the like, which know no other word for it. */
const CHECK_UNKNOWN = 3;

export async function run(invocation: Invocation): Promise<number> {
  const agent = invocation.operands[0];
  const wantsMembers = ownFlag(invocation, "members");
  const isCheck = ownFlag(invocation, "exit-code");
  if (wantsMembers && (agent === undefined || isCheck)) {
    const found = agent === undefined ? "without an agent" : "with --exit-code";
    printError(`found --members ${found}; want it as in: status AGENT --members`);
    printHint("varta-watch help status");
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
  const view = JSON.parse(line) as StatusView | MembersView;
  if (ownFlag(invocation, "json")) print(jsonLine(view));
  else if ("agents" in view) {
    const all = ownFlag(invocation, "all");
    print(isPlain ? plainStatus(view) : statusScreen(view, screen, { all }));
  } else print(isPlain ? plainMembers(view) : membersScreen(view, screen));
  return isCheck && "agents" in view ? checkCode(view) : EXIT_OK;
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
