// "varta-watch status": what the daemon knows of its agents (spec 16 section 7). On a terminal a
// table that people read, in a pipe one line per agent; --json prints the answer as it came, and
// --watch draws the table once a second.
import type { MembersView, StatusView } from "../view/status_view.ts";
import { notAnswered, pathOf, wrongUse } from "./asking.ts";
import { configuredPlaces } from "./configured_places.ts";
import { type Answer, ask } from "./control_client.ts";
import { type Invocation, ownFlag } from "./invocation.ts";
import { errorLine, hintLine, print } from "./output.ts";
import { checkCode } from "./screens/check_code.ts";
import { membersScreen } from "./screens/members.ts";
import { staleText } from "./screens/no_answer.ts";
import { jsonLine, plainMembers, plainStatus } from "./screens/plain.ts";
import type { Screen } from "./screens/screen.ts";
import { statusScreen } from "./screens/status.ts";
import { isForPeople, thisScreen } from "./this_screen.ts";
import { type Frame, watch } from "./watching.ts";

const EXIT_OK = 0;
/** For Nagios and the like, which know no other word for it. */
const CHECK_UNKNOWN = 3;

type View = StatusView | MembersView;

export async function run(invocation: Invocation): Promise<number> {
  const misuse = misuseOf(invocation);
  if (misuse !== undefined) return wrongUse(misuse, "varta-watch help status");
  return ownFlag(invocation, "watch") ? await watch(frames(invocation)) : once(invocation);
}

function misuseOf(invocation: Invocation): string | undefined {
  const { configFile } = invocation;
  const unread = configFile === undefined ? "" : (configuredPlaces(configFile)?.unread ?? "");
  if (unread !== "")
    return `--config ${configFile}: ${unread}; want the configuration file of the daemon`;
  const isCheck = ownFlag(invocation, "exit-code");
  const isAgent = invocation.operands[0] !== undefined;
  if (ownFlag(invocation, "members") && (!isAgent || isCheck)) {
    const found = isAgent ? "with --exit-code" : "without an agent";
    return `found --members ${found}; want it as in: status AGENT --members`;
  }
  if (!ownFlag(invocation, "watch")) return undefined;
  const other = ["json", "plain", "exit-code"].find((name) => ownFlag(invocation, name));
  if (other !== undefined) return `found --watch with --${other}; want one of them`;
  if (process.stdout.isTTY === true) return undefined;
  return "found --watch in a pipe; want a terminal";
}

function once(invocation: Invocation): number {
  const isCheck = ownFlag(invocation, "exit-code");
  const screen = thisScreen(invocation);
  const answer = asked(invocation, screen);
  if (!answer.ok) {
    const exitCode = notAnswered(answer, invocation);
    return isCheck ? CHECK_UNKNOWN : exitCode;
  }
  const view = viewOf(answer);
  if (ownFlag(invocation, "json")) print(jsonLine(view));
  else print(isForPeople(invocation) ? humanText(view, invocation, screen) : plainText(view));
  return isCheck && "agents" in view ? checkCode(view) : EXIT_OK;
}

/** While the daemon does not answer, that is said above what was known last. */
function frames(invocation: Invocation): () => Frame {
  let last: View | undefined;
  return () => {
    const screen = thisScreen(invocation);
    const answer = asked(invocation, screen);
    if (answer.ok) {
      last = viewOf(answer);
      return { text: humanText(last, invocation, screen), exitCode: EXIT_OK };
    }
    const { error, hint, stdout, exitCode } = answer;
    const head = errorLine(error) + (hint === "" ? "" : hintLine(hint)) + stdout;
    const plain = { ...screen, colour: false };
    const before = last === undefined ? "" : humanText(last, invocation, plain);
    return { text: head + staleText(before, screen.colour), exitCode };
  };
}

function asked(invocation: Invocation, screen: Screen): Answer {
  const agent = invocation.operands[0];
  const stalled = ownFlag(invocation, "stalled") || undefined;
  const wantsMembers = ownFlag(invocation, "members");
  const request = wantsMembers ? { do: "members", agent } : { do: "status", agent, stalled };
  return ask(pathOf(invocation), request, { screen, configFile: invocation.configFile });
}

function viewOf({ lines }: Answer & { ok: true }): View {
  const [line] = lines as [string];
  return JSON.parse(line) as View;
}

function plainText(view: View): string {
  return "agents" in view ? plainStatus(view) : plainMembers(view);
}

function humanText(view: View, invocation: Invocation, screen: Screen): string {
  const all = ownFlag(invocation, "all");
  return "agents" in view ? statusScreen(view, screen, { all }) : membersScreen(view, screen);
}
