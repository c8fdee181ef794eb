// From what the harness knows and what the daemon testified, the counts of a row: pure, so that a
// test can show it every mistake that a daemon could make.
import type { Refused } from "../support/crew.ts";
import { type Silence, SLACK_MS } from "./truth.ts";

/** Something that the daemon said or did about a process. */
export interface Told {
  readonly pid: number;
  readonly atMs: number;
}

export interface Testimony {
  /** Stalls of the export. */
  readonly stalls: readonly Told[];
  /** Unclean ends of the export: all that is told of who died while no daemon was there. */
  readonly ends: readonly Told[];
  /** What the recovery command itself wrote down when it ran. */
  readonly recoveries: readonly Told[];
  /** Stalls of the log; a log that nobody could read says nothing. */
  readonly loggedStalls: readonly Told[];
  /** Recoveries of the audit log, by pid. */
  readonly auditedPids: readonly number[];
  /** What is wrong with the chain of the audit log. */
  readonly chainFaults: readonly string[];
  /** Beats of the export. */
  readonly beats: readonly number[];
}

export interface Counts {
  readonly falseStalls: number;
  readonly missedStalls: number;
  readonly falseRecoveries: number;
  readonly lostRows: number;
  readonly leakedDescriptors: number;
  /** Sends that the kernel refused an agent: no place in the queue, or nobody at the socket. */
  readonly failedBeats: number;
}

export type CountName = keyof Counts;

export interface Judged {
  readonly count: number;
  /** One sentence for each kind of fault, for the lines below the table. */
  readonly findings: readonly string[];
}

/**
 * What an operator heard of: the export, and of processes that are missing there the log. That a
 * row is missing is counted as a lost row. The end of a process that stalled is the same news.
 */
export function toldStalls({ stalls, ends, loggedStalls }: Testimony): Told[] {
  const stalled = new Set(stalls.map(({ pid }) => pid));
  const onlyEnded = ends.filter(({ pid }) => !stalled.has(pid));
  const left = countsOf([...stalls, ...onlyEnded].map(({ pid }) => pid));
  const onlyLogged = loggedStalls.filter(({ pid }) => {
    const count = left.get(pid) ?? 0;
    left.set(pid, count - 1);
    return count <= 0;
  });
  return [...stalls, ...onlyEnded, ...onlyLogged];
}

/** Of missed silences that are named below a row. */
const EXAMPLES_MAX = 5;

/** For how long one daemon or another was there between two times. */
export type Alive = (fromMs: number, toMs: number) => number;

const ALWAYS: Alive = (fromMs, toMs) => toMs - fromMs;

/**
 * Each silence is told once, in time, and nothing else is. A daemon that is killed may forget that
 * it has just told one: the next one may tell it again within `againMs` of their lives, which is
 * counted apart.
 */
export function judgeStalls(
  silences: readonly Silence[],
  stalls: readonly Told[],
  againMs = 0,
  alive = ALWAYS,
): { readonly falseStalls: Judged; readonly missedStalls: Judged; readonly toldAgain: Judged } {
  const { claimed, unfounded } = claims(silences, stalls);
  const isForgotten = ({ pid, atMs }: Told) =>
    [...claimed].some(([each, firstMs]) => each.pid === pid && alive(firstMs, atMs) <= againMs);
  const { again = [], never = [] } = Object.groupBy(unfounded, (told) =>
    isForgotten(told) ? "again" : "never",
  );
  const missed = silences.flatMap((silence) => {
    const atMs = claimed.get(silence);
    if (atMs === undefined) return [`pid ${silence.pid}, ${silence.how}, was never told`];
    const lateMs = atMs - silence.toldByMs;
    if (lateMs <= 0) return [];
    return [`pid ${silence.pid}, ${silence.how}, was told ${Math.round(lateMs)} ms too late`];
  });
  return {
    falseStalls: judgedTold("called silent", never, silences),
    missedStalls: judged(missed),
    toldAgain: {
      count: again.length,
      findings:
        again.length > 0 ? [`${again.length} told again within ${againMs} ms, by a kill`] : [],
    },
  };
}

/** Each silence is recovered at most once, and nothing else is. */
export function judgeRecoveries(silences: readonly Silence[], recoveries: readonly Told[]): Judged {
  return judgedTold("recovered", claims(silences, recoveries).unfounded, silences);
}

/**
 * Rows that another witness knows of: beats that the kernel took for the daemon, stalls of the log,
 * recoveries that ran. What is there twice makes up for nothing.
 */
export function judgeRows(testimony: Testimony, sent: ReadonlyMap<number, number>): Judged {
  const exported = countsOf(testimony.beats);
  const beats = missing(sent, exported);
  const stalls = missing(
    countsOf(testimony.loggedStalls.map(({ pid }) => pid)),
    countsOf(testimony.stalls.map(({ pid }) => pid)),
  );
  const audited = missing(
    countsOf(testimony.recoveries.map(({ pid }) => pid)),
    countsOf(testimony.auditedPids),
  );
  const findings = [
    ...(beats > 0 ? [beatsFinding(beats, sent, exported)] : []),
    ...(stalls > 0 ? [`${stalls} stalls of the log are not in the export`] : []),
    ...(audited > 0 ? [`${audited} recoveries that ran are not in the audit log`] : []),
    ...testimony.chainFaults,
  ];
  return { count: beats + stalls + audited + testimony.chainFaults.length, findings };
}

function beatsFinding(
  beats: number,
  sent: ReadonlyMap<number, number>,
  exported: ReadonlyMap<number, number>,
): string {
  const pids = [...sent].filter(([pid, count]) => count > (exported.get(pid) ?? 0));
  const example = pids[0]!.join(" sent ");
  return `${beats} beats that the kernel took are not in the export, of ${pids.length} agents: ${example}`;
}

/** Descriptors by kind, of a daemon before the fault and after it. */
export function judgeDescriptors(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Judged {
  let count = 0;
  const findings: string[] = [];
  for (const [kind, open] of after) {
    const more = open - (before.get(kind) ?? 0);
    if (more <= 0) continue;
    count += more;
    findings.push(`${more} more open: ${kind}`);
  }
  return { count, findings };
}

/** Sends that the kernel refused. */
export function judgeSends({ full, other }: Refused): Judged {
  const findings = [
    ...(full > 0 ? [`${full} beats found no place in the queue`] : []),
    ...(other > 0 ? [`${other} beats found nobody who receives`] : []),
  ];
  return { count: full + other, findings };
}

/** Who was told about which silence first, and what was told about none, or a second time. */
function claims(silences: readonly Silence[], told: readonly Told[]) {
  const claimed = new Map<Silence, number>();
  const unfounded: Told[] = [];
  for (const one of told.toSorted((a, b) => a.atMs - b.atMs)) {
    const silence = silences.find(
      (each) => each.pid === one.pid && !claimed.has(each) && isDuring(each, one.atMs),
    );
    if (silence === undefined) unfounded.push(one);
    else claimed.set(silence, one.atMs);
  }
  return { claimed, unfounded };
}

// What an agent says after its silence reaches the daemon, or its child, a moment later.
function isDuring({ fromMs, toMs }: Silence, atMs: number): boolean {
  return atMs >= fromMs && atMs <= toMs + SLACK_MS;
}

function judgedTold(verb: string, told: readonly Told[], silences: readonly Silence[]): Judged {
  if (told.length === 0) return { count: 0, findings: [] };
  const pids = [...new Set(told.map(({ pid }) => pid))];
  const times = told.length === 1 ? "once" : `${told.length} times`;
  const examples = pids.slice(0, EXAMPLES_MAX).map((pid) => {
    const silence = silences.find((each) => each.pid === pid);
    return `pid ${pid}, ${silence === undefined ? "healthy" : `again: ${silence.how}`}`;
  });
  const all = `${verb} without cause: ${pids.length} agents, ${times}`;
  return { count: told.length, findings: [all, ...examples] };
}

function judged(findings: readonly string[]): Judged {
  const more = findings.length - EXAMPLES_MAX;
  const shown = findings.slice(0, EXAMPLES_MAX);
  return { count: findings.length, findings: more > 0 ? [...shown, `and ${more} more`] : shown };
}

function countsOf(pids: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const pid of pids) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return counts;
}

function missing(wanted: ReadonlyMap<number, number>, found: ReadonlyMap<number, number>): number {
  let sum = 0;
  for (const [pid, count] of wanted) sum += Math.max(0, count - (found.get(pid) ?? 0));
  return sum;
}
