// The sections `verdict` and `evidence`: what the process is doing, and from what that is known. A
// guess is never said as a fact.
import type { ExplainedMember, ExplainedVerdict, ExplainView } from "../../view/explain_view.ts";
import type { EndView } from "../../view/event_view.ts";
import { duration, plural, roughly, setDuration } from "./figures.ts";
import { endText, unwatchedText } from "./signals.ts";
import type { Times } from "./times.ts";

const SIGKILL = 9;
/** More of a processor than this, and it spins. */
const SPINNING_SHARE = 0.25;
/** Less, and it waits. */
const WAITING_SHARE = 0.05;
/** Processor time has ticks of 10 ms: of a shorter time nothing follows. */
const CPU_MS_MIN = 500;

const STATE_WORDS: Readonly<Record<string, string>> = {
  R: "running",
  S: "sleeping",
  D: "in the kernel",
  T: "stopped",
  t: "tracing stop",
  Z: "zombie",
  I: "idle",
};

const CUT_OFF = [
  "it has not beaten since the daemon made its sockets anew: its client may hold a dead",
  "connection, and should connect again when a send fails",
];

export function verdictText(view: ExplainView, times: Times): string[] {
  const { member } = view;
  if (member === null)
    return [view.state === "missing" ? "missing: no member of it beats" : "none: it has no member"];
  const { verdict } = member;
  if (view.state === "missing")
    return [`missing: ${view.beating} of ${plural(view.expected ?? view.members, "member")} beat`];
  if (view.state !== "stalled" && view.state !== "gone") {
    const threshold = setDuration(view.rule.threshold_ms);
    const silence = `silent for ${duration(member.silence_ms)} of ${threshold}`;
    const isHeld = view.next.some(({ what }) => what === "guard_ends");
    if (isHeld) return [`none yet: ${silence}, held by the guard`];
    if (verdict !== null) return [`none yet: ${howText(verdict, times)}; ${silence}`];
    if (member.goodbye !== undefined) return ["none: it said goodbye, and has not ended yet"];
    if (member.unbeaten === true) return ["none: it said hello, and has not beaten yet"];
    if (member.cut_off === "held")
      return [`none yet: ${silence}, but its process runs`, ...CUT_OFF];
    // Silence of a pause, or of a time without a daemon, is none of its own.
    return isOverdue(view)
      ? [`none yet: ${silence}, of which not all counts: the observer was away`]
      : [`none: it beats, ${silence}`];
  }
  if (verdict === null) return ["unknown: its process was not looked at"];
  if (isUnproven(member) && verdict.pid_reused === null)
    return [`unknown: pid ${member.pid} may be another process than the one that beat`];
  if (view.state === "gone") return [goneText(view, verdict, times)];
  return [`${verdict.verdict}: ${verdictClause(member, verdict, times)}`];
}

/** Silent for longer than its threshold, and not judged. */
export function isOverdue({ member, rule }: ExplainView): boolean {
  return member !== null && member.silence_ms >= rule.threshold_ms;
}

/** Attested, and yet it is not known that the process that is watched sent its beats. */
export function isUnproven({ proof }: ExplainedMember): boolean {
  return proof.origin === "kernel_attested" && !proof.proven;
}

function goneText({ agent }: ExplainView, verdict: ExplainedVerdict, times: Times) {
  const { ended, end, replaced } = verdict;
  const how = howText(verdict, times);
  if (replaced !== null)
    return (
      `none: ${how}, and pid ${replaced.pid} of ${agent} beat at ${times.exactly(replaced.time)}, ` +
      `${duration(replaced.left_ms)} before the deadline was over`
    );
  switch (ended) {
    case "clean":
      return end === null
        ? "none: its unit was stopped, which is a clean end"
        : `none: ${endText(end)} is a clean end, not a stall`;
    case "goodbye":
      return `none: ${end === null ? "it is gone" : endText(end)}; it had said goodbye, so its end is clean`;
    case "ignored":
      return `none: ${how}; on_exit ignore says that its ends are no alarm`;
    case "brief":
      return `none: ${how}; it was over within a moment of its start, as a helper is`;
    default:
      return `exited: ${how}`;
  }
}

function verdictClause(member: ExplainedMember, verdict: ExplainedVerdict, times: Times): string {
  switch (verdict.verdict) {
    case "hung":
      // A process of another namespace is seen, and little can be said of what surrounds it.
      return member.proof.namespace === null
        ? "it runs; it is not stopped, traced or frozen"
        : processText(verdict);
    case "blocked":
      return `it is stuck in the kernel${verdict.wchan === "" ? "" : ` in ${verdict.wchan}`}`;
    case "stopped":
      return "a signal stopped it";
    case "traced": {
      const { tracer } = verdict;
      if (tracer === null) return "a debugger traces it";
      const comm = tracer.comm === "" ? "" : ` (${tracer.comm})`;
      const user = tracer.user === "" ? "" : ` of user ${tracer.user}`;
      return `pid ${tracer.pid}${comm}${user} traces it`;
    }
    case "frozen":
      return `its control group is frozen (cgroup v${verdict.freezer})`;
    case "zombie":
      return "it has ended, and its parent has not looked";
    case "exited":
      if (verdict.pid_reused !== null) return `pid ${member.pid} belongs to another process now`;
      if (verdict.end === null && verdict.unwatched === null)
        return "its process is gone; how it ended is not known";
      return howText(verdict, times);
    case "unknown":
      if (member.source !== "") return "only its own machine can say what the process does";
      return verdict.reason === "" ? "its process was not looked at" : verdict.reason;
  }
}

function howText({ end, unwatched }: ExplainedVerdict, times: Times): string {
  const how = end === null ? "how it ended is not known" : endedText(end, times);
  return unwatched === null ? how : `${unwatchedText(unwatched, times)}; ${how}`;
}

function endedText(end: EndView, times: Times): string {
  return end.time === "" ? endText(end) : `${endText(end)} at ${times.exactly(end.time)}`;
}

/** "state S (sleeping) in futex_wait_queue" */
function processText({ proc_state, wchan }: ExplainedVerdict): string {
  const word = STATE_WORDS[proc_state] ?? "other";
  // Of one that runs the kernel names where it waited last.
  const where = wchan === "" || proc_state === "R" ? "" : ` in ${wchan}`;
  return `state ${proc_state} (${word})${where}`;
}

export function evidenceLines(view: ExplainView, times: Times): string[] {
  const { member } = view;
  if (member !== null && view.state === "gone") return goneEvidence(member, times);
  if (member === null || view.state !== "stalled") return [];
  const { verdict, proof } = member;
  if (verdict?.pid_reused) return [reusedText(member, verdict.pid_reused, times)];
  if (isUnproven(member)) return unprovenLines(member, times);
  if (proof.namespace !== null) return [...lastBeatOnly(member, times), namespaceText(member)];
  if (member.source !== "") return remoteLines(member, times);
  return [
    ...massLines(view),
    ...(member.goodbye === undefined
      ? []
      : [`it said goodbye at ${times.exactly(member.goodbye)}, and has not ended since`]),
    ...(member.said?.triggered === true
      ? ["it asked to be judged at once, with its last beat: WATCHDOG=trigger"]
      : []),
    ...(verdict === null ? [] : processLines(verdict)),
    ...lastBeatLines(view, times),
    ...(verdict?.verdict === "hung" && member.cut_off !== undefined ? CUT_OFF : []),
    ...(verdict === null ? [] : killLines(verdict, times)),
  ];
}

function processLines(verdict: ExplainedVerdict): string[] {
  if (verdict.end_source !== null)
    return [
      `exit status from ${verdict.end_source === "pidfd" ? "the kernel (pidfd)" : "systemd"}`,
    ];
  if (verdict.proc_state === "") return [];
  const tracer = verdict.tracer === null ? "" : `, TracerPid ${verdict.tracer.pid}`;
  return [`${processText(verdict)}${tracer}`, ...cpuLines(verdict)];
}

function cpuLines({ verdict, cpu_ms, cpu_over_ms }: ExplainedVerdict): string[] {
  if (verdict !== "hung" || cpu_ms === null || cpu_over_ms === null || cpu_over_ms <= 0) return [];
  const used = cpu_ms < 10_000 ? (cpu_ms / 1_000).toFixed(2) : (cpu_ms / 1_000).toFixed(1);
  const share = cpu_ms / cpu_over_ms;
  const conclusion = cpu_over_ms < CPU_MS_MIN ? "" : cpuConclusion(share);
  return [`${used}s of CPU in the ${duration(cpu_over_ms)} since the stall${conclusion}`];
}

function cpuConclusion(share: number): string {
  if (share > SPINNING_SHARE) return ": it spins";
  return share < WAITING_SHARE ? ": it waits, it does not spin" : ": it runs now and then";
}

function lastBeatLines(view: ExplainView, times: Times): string[] {
  const { last_beat, refused, verdict } = view.member!;
  if (last_beat === null) return [];
  const beat = `last beat ${times.exactly(last_beat.time)}`;
  if (verdict?.verdict === "exited")
    return [verdict.end === null ? beat : `${beat}; no other member has started since`];
  const said = `${beat}, number ${last_beat.number}, status ${last_beat.status}`;
  return [said, ...(verdict?.verdict === "hung" ? [refusedText(view, refused)] : [])];
}

function refusedText(view: ExplainView, refused: ExplainedMember["refused"]): string {
  const others = view.members - 1;
  const rest =
    others === view.beating
      ? `the ${others} other members beat`
      : `${view.beating} of ${plural(others, "other member")} beat`;
  const counts = refused.map(({ reason, count }) => `${plural(count, "beat")} (${reason})`);
  const own =
    refused.length === 0
      ? "no beat of it was refused since"
      : `refused since: ${counts.join(", ")}`;
  return others === 0
    ? own
    : `${own}; ${others === 1 && view.beating === 1 ? "the other member beats" : rest}`;
}

/** Who sent SIGKILL is not on record; where to look is a command. */
function killLines({ end }: ExplainedVerdict, times: Times): string[] {
  if (end?.signal !== SIGKILL) return [];
  return [
    "SIGKILL has no sender on record: look for the OOM killer with",
    `journalctl -k${end.time === "" ? "" : ` --since ${times.minute(end.time)}`} | grep -i oom`,
  ];
}

function massLines({ mass }: ExplainView): string[] {
  if (mass === null || mass === undefined) return [];
  const { agents, within_ms, load, memory_used, stall_ms, stall_over_ms } = mass;
  const within = within_ms < 1_000 ? duration(within_ms) : roughly(within_ms);
  const facts = [`load ${Math.round(load)}`];
  if (memory_used !== null) facts.push(`memory ${Math.round(memory_used * 100)} % used`);
  if (stall_ms !== null) {
    const stalled = `${(stall_ms / 1_000).toFixed(1)}s of pressure stall`;
    facts.push(`${stalled} in ${setDuration(stall_over_ms)}`);
  }
  return [
    `${plural(agents, "agent")} fell silent within ${within}: look at the machine first`,
    `(${facts.join(", ")})`,
  ];
}

/** What is known of one that has left the table. */
function goneEvidence(member: ExplainedMember, times: Times): string[] {
  const { verdict } = member;
  if (verdict === null || verdict.ended === "clean" || verdict.ended === "replaced") return [];
  const source = verdict.end_source === null ? [] : processLines(verdict);
  return [...source, ...lastBeatOnly(member, times), ...killLines(verdict, times)];
}

function lastBeatOnly({ last_beat }: ExplainedMember, times: Times): string[] {
  if (last_beat === null) return [];
  const { time, number, status } = last_beat;
  return [`last beat ${times.exactly(time)}, number ${number}, status ${status}`];
}

function unprovenLines(member: ExplainedMember, times: Times): string[] {
  const { pid, verdict, who } = member;
  const started = who.since === null ? "" : `, which started at ${times.exactly(who.since)},`;
  return [
    ...(verdict === null ? [] : processLines(verdict)),
    ...lastBeatOnly(member, times),
    `who sent it may have ended before it was looked at: pid ${pid}${started} may have come after it`,
  ];
}

function reusedText({ pid, last_beat }: ExplainedMember, started: string, times: Times): string {
  const beat = last_beat === null ? "" : `, ${times.exactly(last_beat.time)}`;
  return (
    `one beat came${beat}; its process may have ended before it was looked at: pid ${pid} ` +
    `started at ${times.exactly(started)}, after that beat`
  );
}

function namespaceText({ pid, proof, who }: ExplainedMember): string {
  const { inode, own_inode, inner_pid } = proof.namespace!;
  const container = who.container === "" ? "" : `, container ${who.container}`;
  const frames = inner_pid === 0 ? "" : `its frames say pid ${inner_pid}; `;
  return (
    `${frames}the kernel says pid ${pid} in namespace ${inode} ` +
    `(observer: ${own_inode ?? "not known"})${container}`
  );
}

function remoteLines({ source, last_beat, proof }: ExplainedMember, times: Times): string[] {
  const { origin, listener, others_beating } = proof;
  const isSealed = origin === "key_attested";
  const from = isSealed
    ? `its frames are sealed with the key of listener ${listener}, so they are its own`
    : `its frames are not sealed (listener ${listener}): any sender can send them`;
  const beat =
    last_beat === null ? "" : `; last beat ${times.exactly(last_beat.time)} from ${last_beat.from}`;
  const others =
    others_beating === null || others_beating === 0
      ? []
      : [
          `the ${plural(others_beating, "other agent")} from ${source} beat: the network is not cut`,
        ];
  return [`${from}${beat}`, ...others];
}
