// `explain PID` of a process that has never beaten: who it would be, whether it may, and what to
// do.
import { shellWord } from "../../base/shell_word.ts";
import type { StrangerView } from "../../view/explain_view.ts";
import { foldLines, linesText, printable } from "./cells.ts";
import { sectionLines } from "./explain.ts";
import { programText, wantedCount } from "./explained_rule.ts";
import { setDuration } from "./figures.ts";
import { planText } from "./members.ts";
import type { Screen } from "./screen.ts";

/** Where the package puts it. */
const GUIDE = "/usr/share/doc/varta-watch/client.md";

export function strangerScreen(given: StrangerView, screen: Screen): string {
  const view = printable(given);
  const { pid, who, agent, rule, may } = view;
  if (!view.runs) {
    const text = `pid ${pid} does not run, and nothing is known of it.`;
    return linesText(foldLines(text, screen.width, 4));
  }
  const user = who.user === "" ? "" : `user ${who.user}`;
  const parts = [programText(who), user, who.unit].filter((text) => text !== "").join(", ");
  const by =
    rule.number === null ? "by no rule" : `by the ${wantedCount(rule.number)} (${rule.place})`;
  const policy = `threshold ${setDuration(rule.threshold_ms)}, ${planText(rule.plan)}`;
  return linesText([
    ...foldLines(`pid ${pid} runs (${parts}) and has never beaten.`, screen.width, 4),
    "",
    ...sectionLines(
      [
        ["would be", [`agent ${agent}, ${by}`, policy]],
        ["may it", may === null ? [] : [mayText(view, may)]],
        ["refused", refusedTexts(view)],
        ["next", nextTexts(view)],
      ],
      screen,
    ),
  ]);
}

type May = NonNullable<StrangerView["may"]>;

function mayText(view: StrangerView, may: May): string {
  const { socket, mode, yes } = may;
  return `${yes ? "yes" : "no"}: ${reasonText(view, may)}, ${socket} is ${mode}`;
}

function reasonText({ who }: StrangerView, { by, group, yes }: May): string {
  const user = who.user === "" ? `uid ${who.uid}` : `user ${who.user}`;
  switch (by) {
    case "root":
      return "it runs as root";
    case "owner":
      return `${user} owns it`;
    case "group":
      return `${user} is in group ${group}`;
    case "others":
      return yes ? "any user may" : `${user} is not in group ${group}`;
    case "allow_list":
      return `${user} is on no allow list of its listener`;
    case "namespace":
      return "it is in another pid namespace, and its listener takes no containers";
  }
}

/** Of each reason the last refused datagram is known, and no other. */
function refusedTexts({ pid, refused, refused_total }: StrangerView): string[] {
  if (refused.length > 0)
    return refused.map(
      ({ reason, listener, cause }) => `reason ${reason}, listener ${listener}: ${cause}`,
    );
  if (refused_total === 0) return ["no datagram was refused since the start: it sends none here"];
  return [`of the last refused datagram of each reason none is of pid ${pid}`];
}

function nextTexts(view: StrangerView): string[] {
  const { refused, may, who, rule } = view;
  if (refused.length > 0) return refused.map(({ hint }) => hint);
  if (may === null || may.yes) return [`${GUIDE}: a few lines make it beat`];
  const place = rule.listener_place === "" ? "" : ` (${rule.listener_place})`;
  if (may.by === "namespace") return [`containers = true in its [[listener]]${place}`];
  if (may.by === "allow_list") return [`allow_uids = [${who.uid}] in its [[listener]]${place}`];
  if (may.by !== "others" || who.user === "") return [`mode = "0660" in its [[listener]]${place}`];
  return [`usermod -aG ${shellWord(may.group)} ${shellWord(who.user)}, then start it again`];
}
