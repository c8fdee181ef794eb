// `explain`: why an agent is as it is. One shape: a sentence, then sections in one order, each left
// out when it has nothing to say; the first four are what somebody needs at 3 a.m. The view has the
// facts, the words are made here.
import { shellWord } from "../../base/shell_word.ts";
import { saidText } from "../../view/said_view.ts";
import type { ExplainView } from "../../view/explain_view.ts";
import { foldLines, linesText, printable } from "./cells.ts";
import { eventWords } from "./event_words.ts";
import { atOnce, doneLines, nextLines } from "./explained_acts.ts";
import { ruleLines, whoLines } from "./explained_rule.ts";
import { evidenceLines, isOverdue, isUnproven, verdictText } from "./explained_verdict.ts";
import { duration, plural, roughly } from "./figures.ts";
import type { Screen } from "./screen.ts";
import { Times } from "./times.ts";

const WORD_CELLS = 10;
const INDENT = 2 + WORD_CELLS;
const KIND_CELLS = 8;
const HISTORY_ROWS = 10;

/** One cut sentence of a section; several make a section. */
type Section = readonly [word: string, texts: readonly string[]];

export function explainScreen(given: ExplainView, screen: Screen): string {
  const view = printable(given);
  const times = new Times(view.time, screen.zone);
  const urgent: Section[] = [
    ["verdict", verdictText(view, times)],
    ["evidence", evidenceLines(view, times)],
    ["said", view.member?.said === undefined ? [] : [saidText(view.member.said)]],
    ["done", doneLines(view, times)],
    ["next", nextLines(view, times)],
  ];
  const calm: Section[] = [
    ["who", whoLines(view, times)],
    ["rule", ruleLines(view.rule)],
    ["history", historyLines(view, times)],
    ["others", otherLines(view)],
    ["runbook", view.runbook === "" ? [] : [view.runbook]],
  ];
  const calmLines = sectionLines(calm, screen);
  return linesText([
    ...foldLines(`${subject(view)}: ${headline(view, times)}`, screen.width, 4),
    "",
    ...sectionLines(urgent, screen),
    ...(calmLines.length > 0 ? ["", ...calmLines] : []),
  ]);
}

export function sectionLines(sections: readonly Section[], { width }: Screen): string[] {
  return sections.flatMap(([word, texts]) =>
    texts.flatMap((text, index) => {
      const head = (index === 0 ? word : "").padEnd(WORD_CELLS);
      return foldLines(`  ${head}${text}`, width, INDENT);
    }),
  );
}

/** "worker, pid 4711"; a remote agent is called by its address and pid. */
function subject({ agent, member }: ExplainView): string {
  if (member === null || member.source !== "") return agent;
  return `${agent}, pid ${member.pid}`;
}

function headline(view: ExplainView, times: Times): string {
  const { state, since } = view;
  if (state === "gone") return goneSentence(view, times);
  const lasts = since === null ? "" : ` for ${duration(times.sinceMs(since))}`;
  if (view.muted !== null && state !== "ok")
    return `${state}${lasts}, muted for ${roughly(-times.sinceMs(view.muted.until))} more.`;
  if (state === "stalled") return `stalled${lasts}. ${reasonSentence(view)}`;
  if (state === "missing") {
    const wanted = view.expected ?? view.members;
    const beat = wanted === 1 ? "beats" : "beat";
    return `missing${lasts}. ${view.beating} of ${plural(wanted, "member")} ${beat}.`;
  }
  return `${state}. ${stateSentence(view, times)}`;
}

function goneSentence({ member }: ExplainView, times: Times): string {
  const verdict = member?.verdict;
  if (verdict === null || verdict === undefined) return "gone. It has no member.";
  const { ended, end } = verdict;
  const at = end === null || end.time === "" ? "" : ` at ${times.at(end.time)}`;
  switch (ended) {
    case "replaced":
      return "gone. It ended badly and was replaced in time.";
    case "clean":
      return `gone. It ended cleanly${at}.`;
    case "goodbye":
      return `gone. It said goodbye and ended${at}.`;
    case "unclean":
      return `gone. It ended badly${at}, and was not replaced in time.`;
    case "ignored":
    case "brief":
      return `gone. It ended${at}, and that is no alarm.`;
    default:
      return "gone. How it ended is not known.";
  }
}

function stateSentence(view: ExplainView, times: Times): string {
  const { state, rule, member, expected, next } = view;
  if (member === null)
    return state === "new" && expected !== null ? "None of it beats yet." : "It has no member.";
  if (member.cut_off === "held") return "It is silent, and its process runs: not judged yet.";
  if (member.verdict !== null) return "Its process is gone, and its threshold is not over.";
  if (member.goodbye !== undefined)
    return `It said goodbye at ${times.at(member.goodbye)}, and owes no beats.`;
  if (member.unbeaten) return "It said hello, and owes no beats before its first one.";
  if (state === "critical" || state === "degraded") return "It says so itself.";
  const guard = next.find((row) => row.what === "guard_ends");
  if (state === "late" && guard !== undefined) return `The guard holds it: ${atOnce(guard)}.`;
  if (state === "late") return "It is silent, and its threshold is not over.";
  if (rule.number === null && rule.count > 0) return "No [[agent]] matches it.";
  if (state === "new") return "It is not judged yet.";
  return isOverdue(view) ? "It has a threshold more: the observer was away." : "It beats in time.";
}

/** What makes this stall another than most, the most important first. */
function reasonSentence({ done, member, rule }: ExplainView): string {
  const shut = done.findLast(({ what }) => what === "refused" || what === "held");
  const reason = shut !== undefined && "reason" in shut ? shut.reason : "";
  if (member !== null && member.source !== "") return "It is on another machine.";
  if (reason === "gave_up" && shut !== undefined && "used" in shut)
    return `Given up: ${plural(shut.used ?? 0, "recovery", "recoveries")}, and silent again.`;
  if (reason === "storm_limit") return "Too many recoveries ran at once.";
  if (member !== null && isUnproven(member)) return "It may be another process than beat.";
  if (member?.said?.triggered) return "It says so itself.";
  if (member?.proof.namespace) return "It lives in another pid namespace.";
  const verdict = member?.verdict?.verdict ?? "unknown";
  return rule.plan === "none" && verdict === "hung"
    ? "Nothing is to be done about it."
    : VERDICT_SENTENCES[verdict];
}

const VERDICT_SENTENCES = {
  hung: "It is alive and does not beat.",
  blocked: "The kernel holds it.",
  stopped: "A signal stopped it.",
  traced: "A debugger holds it.",
  frozen: "Its control group is frozen.",
  zombie: "It has ended, and its parent has not looked.",
  exited: "Its process is gone.",
  unknown: "What its process does is not known.",
} as const;

function historyLines({ history }: ExplainView, times: Times): string[] {
  return history
    .slice(0, HISTORY_ROWS)
    .map(
      (event) =>
        `${times.at(event.time)}  ${event.kind.padEnd(KIND_CELLS)}  ${eventWords(event, "history", times)}`,
    );
}

function otherLines({ others }: ExplainView): string[] {
  return others.map(
    ({ pid, state }) => `pid ${pid} is ${state}: varta-watch explain ${shellWord(String(pid))}`,
  );
}
