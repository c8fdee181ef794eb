// `explain PID` of a process that has never beaten: who it would be, whether it may, and what to
// do.
import type { StrangerView } from "../../view/explain_view.ts";
import { foldLines, printable } from "./cells.ts";
import { sectionLines } from "./explain.ts";
import { programText, wantedCount } from "./explained_rule.ts";
import { plural, setDuration } from "./figures.ts";
import { planText } from "./members.ts";
import type { Screen } from "./screen.ts";
import { linesText } from "./status.ts";

/** Programs for which there is a page about how to make them beat. */
const GUIDES: readonly (readonly [comm: RegExp, page: string])[] = [
  [/^node/, "node"],
  [/^python/, "python"],
  [/^(php|php-fpm)/, "php"],
  [/^java$/, "java"],
];

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
        ["refused", [refusedText(view)]],
        ["next", [`${guideOf(who.comm)}: five lines make it beat`]],
      ],
      screen,
    ),
  ]);
}

function mayText({ who }: StrangerView, may: NonNullable<StrangerView["may"]>): string {
  const user = who.user === "" ? `uid ${who.uid}` : `user ${who.user}`;
  const { group, socket, mode } = may;
  return may.yes
    ? `yes: ${user} is in group ${group}, ${socket} is ${mode}`
    : `no: ${user} is not in group ${group}, ${socket} is ${mode}`;
}

function refusedText({ pid, refused }: StrangerView): string {
  if (refused.length === 0)
    return `no datagram of pid ${pid} was refused either: it sends none here`;
  return refused.map(({ reason, count }) => `${plural(count, "datagram")} (${reason})`).join(", ");
}

function guideOf(comm: string): string {
  const guide = GUIDES.find(([pattern]) => pattern.test(comm));
  return guide === undefined ? "docs/supervise/README.md" : `docs/supervise/${guide[1]}.md`;
}
