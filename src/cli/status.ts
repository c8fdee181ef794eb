// "varta-watch status": what the daemon knows of its agents (spec 16 section 7). --json prints its
// answer as it is, --plain one line per agent for awk.
import { ask, controlPath, type NoAnswer } from "./control_client.ts";
import { type Invocation, ownFlag, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { membersPlain, type MemberLine, statusPlain, type StatusLine } from "./status_plain.ts";

/** For Nagios and the like. */
const CHECK_OK = 0;
const CHECK_WARNING = 1;
const CHECK_CRITICAL = 2;
const CHECK_UNKNOWN = 3;

export async function run(invocation: Invocation): Promise<number> {
  const path = ownText(invocation, "control") ?? controlPath(process.env);
  const agent = invocation.operands[0];
  const isCheck = ownFlag(invocation, "exit-code");
  const answer = ownFlag(invocation, "members")
    ? ask(path, { do: "members", agent })
    : ask(path, { do: "status", agent, stalled: ownFlag(invocation, "stalled") || undefined });
  if (!answer.ok) return noAnswer(answer, isCheck);
  const { lines } = answer;
  if (ownFlag(invocation, "json")) print(lines.map((line) => `${line}\n`).join(""));
  else if (ownFlag(invocation, "members"))
    print(membersPlain(lines.map((line) => JSON.parse(line) as MemberLine)));
  else print(statusPlain(JSON.parse(lines[0]!) as StatusLine));
  return isCheck && !ownFlag(invocation, "members") ? checkCode(lines[0]!) : CHECK_OK;
}

function noAnswer({ error, hint, exit }: NoAnswer, isCheck: boolean): number {
  printError(error);
  if (hint !== undefined) printHint(hint);
  return isCheck ? CHECK_UNKNOWN : exit;
}

function checkCode(line: string): number {
  const { counts } = JSON.parse(line) as StatusLine;
  if (counts.stalled + counts.missing + counts.critical > 0) return CHECK_CRITICAL;
  return counts.late + counts.degraded > 0 ? CHECK_WARNING : CHECK_OK;
}
