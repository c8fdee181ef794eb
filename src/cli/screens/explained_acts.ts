// The sections `done` and `next`: what was done about it, or which gate refused and why, and what
// comes, with the time. Never a wish: a command, or a key with its place.
import { durationText } from "../../base/duration_text.ts";
import { shellWord } from "../../base/shell_word.ts";
import type { DoneRow, ExplainedMember, ExplainView, NextRow } from "../../view/explain_view.ts";
import { actionText } from "./event_words.ts";
import { wantedCount } from "./explained_rule.ts";
import { lasted, plural, roughly } from "./figures.ts";
import { planText } from "./members.ts";
import type { Times } from "./times.ts";

/** Enough for a person who works on it. */
const MUTE_WHILE_WORKING = "30m";

type GuardRow = Extract<NextRow, { readonly what: "guard_ends" }>;
type Step = Extract<DoneRow, { readonly what: "step" }>;
type Gate = Extract<DoneRow, { readonly what: "refused" | "held" }>;

export function doneLines(view: ExplainView, times: Times): string[] {
  const rows = view.done.map((row) => doneText(row, view, times));
  const verdict = view.member?.verdict?.verdict;
  if (
    rows.length === 0 &&
    view.state === "stalled" &&
    (verdict === "traced" || verdict === "frozen")
  )
    return [`nothing: a process that is ${verdict} is never recovered`];
  // Since the daemon before this one, which has said so.
  const isHeld = rows.length === 0 && view.state === "stalled" && view.muted !== null;
  if (isHeld) return [`held (muted): ${muteText(view, times)}`];
  if (rows.length === 0 && view.state === "stalled") return ["nothing yet"];
  return rows;
}

function doneText(row: DoneRow, view: ExplainView, times: Times): string {
  const time = times.exactly(row.time);
  switch (row.what) {
    case "began":
      return `${time}  recovery ${row.id} began: ${planText(row.plan)}, ${plural(row.steps, "step")}`;
    case "step": {
      const took = row.took_ms === undefined ? "" : `, ${lasted(row.took_ms)}`;
      const result = row.result === "exit 0" ? "done" : row.result;
      return `${time}  step ${row.step}, ${stepText(row, view)}: ${result}${took}`;
    }
    case "helped":
      return `${times.at(row.time)}  recovery ${row.id} helped, after ${lasted(row.took_ms)}`;
    case "not_helped": {
      const why = row.why === "" ? "" : `: ${row.why}`;
      return `${time}  recovery ${row.id} did not help, after ${lasted(row.took_ms)}${why}`;
    }
    case "interrupted":
      return `${time}  recovery ${row.id} was interrupted: ${row.why}`;
    case "over":
      return `${time}  recovery ${row.id} is done, after ${lasted(row.took_ms)}; no beat is awaited`;
    case "reported":
      return reportedText(row.as, time, view);
    case "held":
    case "refused":
      if (row.step !== undefined && row.why !== undefined)
        return `${time}  step ${row.step}, ${row.why}`;
      if (row.step !== undefined)
        return `${time}  step ${row.step}: not done (${row.reason}): ${gateText(row, view, times)}`;
      return `${time}  ${row.what} (${row.reason}): ${gateText(row, view, times)}`;
  }
}

function stepText({ kind, action }: Step, { member }: ExplainView): string {
  return kind === undefined ? action : actionText({ kind, target: action }, member?.pid);
}

type ReportedAs = Extract<DoneRow, { readonly what: "reported" }>["as"];

function reportedText(as: ReportedAs, time: string, view: ExplainView): string {
  if (view.done.length > 1) return `${time}  reported as ${as}`;
  if (as === "gone") return `reported once, at ${time}; nothing is recovered`;
  return as === "replaced"
    ? "reported as exit, then as replaced; no stall, no recovery"
    : `reported once, at ${time}`;
}

/** Which gate it is and what it found. */
function gateText(gate: Gate, view: ExplainView, times: Times): string {
  const { reason, used, limit, window_ms } = gate;
  const window = window_ms === undefined ? "" : ` in ${durationText(window_ms)}`;
  const listener = view.member?.proof.listener ?? "";
  switch (reason) {
    case "gave_up":
      if (used === undefined) return "its budget of recoveries is used up";
      return `${used} of ${plural(limit ?? 0, "recovery", "recoveries")} used${window}`;
    case "storm_limit":
      if (used === undefined) return "too many recoveries began at once";
      return `${used} of ${plural(limit ?? 0, "recovery", "recoveries")}${window}`;
    case "muted":
      return muteText(view, times);
    case "guard":
      return "too many fell silent at once, so the observer suspects itself first";
    case "unproven_sender":
      return "a signal or restart could hit a process that never beat";
    case "cross_namespace_agent":
      return "a pid of another namespace means another process here";
    case "recovery_not_accepted":
    case "unauthenticated_transport":
      return `listener ${listener} has no accept_recovery, so nothing is done here for a remote process`;
    case "socket_mode_only":
      return `listener ${listener} cannot tell who sends: only the socket's mode lets a sender in`;
    case "beats_refused":
      return "its beats come and are refused: it is not silent";
    case "verdict_not_acted_on":
      return notActedOnText(view);
    case "plan_in_doubt":
      return `the configuration file has another ${planText(view.rule.plan)}, and problems`;
    case "pid_gone":
      return "its process is gone, and every step needs it";
    case "process_unreadable":
      return "a live process has its pid, and /proc does not say which";
    case "backing_off":
      return "the pause after the last recovery is not over";
    case "debounced":
    case "outstanding_in_flight":
    case "in_flight":
      return "one was begun for it already";
    case "unit_not_owned":
      return "its unit may not be restarted for it: it is not its main process, or another user's";
    default:
      return gate.why ?? reason.replaceAll("_", " ");
  }
}

function notActedOnText({ rule, member }: ExplainView): string {
  const verdict = member?.verdict?.verdict ?? "unknown";
  return verdict === "traced" || verdict === "frozen"
    ? `a process that is ${verdict} is not recovered`
    : `${planText(rule.plan)} does not act on verdict ${verdict}`;
}

function muteText({ muted }: ExplainView, times: Times): string {
  if (muted === null) return "it was muted";
  const reason = muted.reason === "" ? "" : `"${muted.reason}", `;
  return `${reason}by ${muted.by}, since ${times.at(muted.since)}`;
}

export function nextLines(view: ExplainView, times: Times): string[] {
  const textsOf = (isLast: boolean): string[] =>
    view.next
      .filter(({ what }) => (what === "forgotten") === isLast)
      .flatMap((row) => nextTexts(row, view, times));
  const texts = [...textsOf(false), ...remedies(view), ...textsOf(true)];
  const isNothing = texts.length === 0 && view.next.some(({ what }) => what === "nothing");
  return isNothing ? ["nothing. It counts as back with its next beat."] : texts;
}

function nextTexts(row: NextRow, view: ExplainView, times: Times): string[] {
  switch (row.what) {
    case "step_ends": {
      const isOther = row.kind !== undefined && row.kind !== "restart_unit";
      const what = isOther
        ? `step ${row.step} is ended if it runs until then`
        : "given up if systemd has not answered by then";
      const after = afterStep(row);
      return [
        `${times.at(row.time)}      ${what}`,
        ...(after === "" ? [] : [`after it      ${after}`]),
      ];
    }
    case "step_begins":
      return [
        `${times.exactly(row.time)}  step ${row.step}, ${actionText(row, view.member?.pid)}, if no beat comes`,
      ];
    case "by_hand":
      return [
        "nothing by itself: it is decided once, and its plan has no retry",
        `by hand: varta-watch recover ${shellWord(view.agent)}`,
      ];
    case "verified":
      return [
        `until ${times.exactly(row.time)}  a process of ${row.unit === "" ? view.agent : row.unit} must beat`,
      ];
    case "mute_ends":
      return [
        `${times.at(row.time)}  the mute ends. If it still is stalled, it is reported then` +
          `${view.rule.plan === "none" ? "." : ", and recovery begins."}`,
        `end it now: varta-watch unmute ${shellWord(view.agent)}`,
      ];
    case "budget":
      return [
        `${times.at(row.time)}  one is possible again; nothing runs before that`,
        "each time it beat again and then fell silent: a restart does not cure the cause. " +
          `By hand: varta-watch recover ${shellWord(view.agent)}`,
      ];
    case "storm_room":
      return [`${times.at(row.time)}  room again, if it still is silent`];
    case "retry":
      return [`${times.at(row.time)}  it is tried again, if it still is silent`];
    case "guard_ends": {
      const what =
        row.holds === "verdict"
          ? "it is judged then at the earliest, if it still is silent and a self-beat went round"
          : `its recovery begins then at the earliest: the guard is active, ${atOnce(row)}`;
      return [`${times.at(row.time)}  ${what}`];
    }
    case "deadline":
      return [
        view.member?.goodbye === undefined
          ? `${times.at(row.time)}  it is stalled if no beat comes before that`
          : `${times.at(row.time)}  it is stalled if it has not ended before that`,
      ];
    case "crash_loop":
      return [
        `${row.limit} such exits within ${durationText(row.window_ms)} make the alert ` +
          `AgentCrashLoop (now: ${row.exits})`,
      ];
    case "nothing":
      return [];
    case "forgotten":
      return [`it is forgotten after ${roughly(row.after_ms)} of silence`];
  }
}

/** "17 of 31 members fell silent within 1s". */
export function atOnce({ silent, members, window_ms }: GuardRow): string {
  return `${silent} of ${plural(members, "member")} fell silent within ${durationText(window_ms)}`;
}

function afterStep({
  verify_ms,
  left,
  limit = 0,
  window_ms = 0,
}: Extract<NextRow, { readonly what: "step_ends" }>): string {
  const texts = verify_ms === undefined ? [] : [`${durationText(verify_ms)} to see a beat`];
  if (left !== undefined) {
    const isAre = left === 1 ? "is" : "are";
    const of = plural(limit, "recovery", "recoveries");
    texts.push(`${left} of ${of} in ${durationText(window_ms)} ${isAre} left`);
  }
  return texts.join("; ");
}

/** What a person can do, where the daemon does nothing by itself. */
function remedies(view: ExplainView): string[] {
  const { member, rule, state } = view;
  if (state === "gone")
    return view.next.some(({ what }) => what !== "nothing")
      ? []
      : ["nothing. A new process that beats is a new member."];
  const isUnruled = rule.number === null && rule.count > 0 && (rule.suggestion ?? "") !== "";
  const ownRule = isUnruled
    ? [`a policy of its own: [[agent]] match = { ${rule.suggestion} }`]
    : [];
  if (state === "missing") return missingRemedy(view);
  return state === "stalled" && member !== null
    ? [...stalledRemedies(view, member), ...ownRule]
    : ownRule;
}

function stalledRemedies(view: ExplainView, member: ExplainedMember): string[] {
  const { agent, rule } = view;
  const name = shellWord(agent);
  const shut = view.done.findLast((row) => row.what === "refused" || row.what === "held");
  const reason = shut !== undefined && "reason" in shut ? shut.reason : "";
  if (member.source !== "")
    return [`look there: ssh ${member.source}, then varta-watch explain ${member.pid}`];
  if (reason === "unproven_sender")
    return ["nothing. A beat after the socket was empty proves it."];
  if (reason === "cross_namespace_agent")
    return [
      `containers = true in [[listener]] ${member.proof.listener}${placed(rule.listener_place)} ` +
        "recovers by the pid of this host, which the kernel knows",
    ];
  const verdict = member.verdict?.verdict;
  const hasBegun = view.done.some(({ what }) => what === "began");
  if (!hasBegun && (verdict === "traced" || verdict === "frozen"))
    return [
      "it counts as back with its next beat",
      ...thawText(member),
      ...(view.muted === null
        ? [`mute it while you work: varta-watch mute ${name} --for ${MUTE_WHILE_WORKING}`]
        : []),
    ];
  const goesOn = verdict === "stopped" ? [`let it go on: kill -CONT ${member.pid}`] : [];
  if (rule.plan === "none" && view.muted === null) return [...noPlanTexts(view), ...goesOn];
  return goesOn;
}

/** systemd thaws what is in a group of its own. */
function thawText({ verdict, who }: ExplainedMember): string[] {
  if (verdict?.freezer !== 2 || !who.unit.endsWith(".service")) return [];
  return [`if systemd froze it: systemctl thaw ${shellWord(who.unit)}`];
}

function noPlanTexts({ rule, member }: ExplainView): string[] {
  const unit = member?.who.unit ?? "";
  const place =
    rule.number === null ? "" : ` in the ${wantedCount(rule.number)}${placed(rule.place)}`;
  const byHand =
    unit === "" ? [] : [`by hand: systemctl restart ${shellWord(unit.replace(/\.service$/, ""))}`];
  const isOfRule = rule.plan_by_rule !== false;
  const why = isOfRule ? `recovery = "none"${place}` : "[recovery] has no command and no step";
  return [`nothing: ${why}`, ...byHand];
}

function missingRemedy({ expected, beating }: ExplainView): string[] {
  if (expected === null) return [];
  const more = expected - beating;
  return [`${plural(more, "more member")} must beat; nothing is started for what never beat`];
}

function placed(place: string): string {
  return place === "" ? "" : ` (${place})`;
}
