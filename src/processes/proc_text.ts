// What the files of /proc/<pid> say (proc(5)), from their text: each question has its parser here,
// and none trusts a line that may have been cut short. NaN = unknown.

/** Field 4, counted from the end of the name. */
const PARENT_WORD = 2;
/** Fields 14 and 15, counted from the end of the name. */
const UTIME_WORD = 12;
const STIME_WORD = 13;
/** Field 22 of /proc/<pid>/stat is the 20th word after the command name. */
const START_TIME_WORD = 20;
/** Field 20, counted from the end of the name: the first thread may end before the others do. */
const THREADS_WORD = 18;
/** Fields 26 and 28, code and stack: execve puts both anew, mostly to places that it draws. */
const CODE_WORD = 24;
const STACK_WORD = 26;
/** Field 52, counted in the same way: how a zombie ended. */
const EXIT_CODE_WORD = 50;
const SPACE = 0x20;
const ENDED_STATE = /^\) [ZXx] /;

/**
 * Start time in ticks from the text of /proc/<pid>/stat; NaN if it is malformed. The name may hold
 * ")" and spaces.
 */
export function parseStartTime(stat: string): number {
  return wholeNumber(wordAfterName(stat, START_TIME_WORD));
}

/** The name of the process from the text of /proc/<pid>/stat; it may hold any bytes. */
export function parseComm(stat: string): string {
  return stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
}

/**
 * Where its program lies in its memory, from the text of /proc/<pid>/stat: another place after each
 * execve. "" = the kernel does not tell us.
 */
export function parseLayout(stat: string): string {
  const stack = wordAfterName(stat, STACK_WORD) ?? "0";
  return stack === "0" ? "" : `${wordAfterName(stat, CODE_WORD)} ${stack}`;
}

/** From the text of /proc/<pid>/stat: its process has ended, and so have all of its threads. */
export function isOver(stat: string): boolean {
  // The name before the state may hold anything; the last parenthesis ends it.
  const afterName = stat.slice(stat.lastIndexOf(")"));
  if (!ENDED_STATE.test(afterName)) return false;
  return Number(afterName.split(" ")[THREADS_WORD]) <= 1;
}

/**
 * From the text of /proc/<pid>/stat: how the process ended, as wait(2) writes it; 0 is also what
 * those read who may not know it. NaN = it has not ended, or the text is malformed.
 */
export function parseExitCode(stat: string): number {
  if (!isOver(stat)) return Number.NaN;
  const words = stat.slice(stat.lastIndexOf(")")).trim().split(/\s+/);
  return wholeNumber(words[EXIT_CODE_WORD]);
}

/** The pid of the parent in the text of /proc/<pid>/stat; NaN if it is malformed. */
export function parseParentPid(stat: string): number {
  return wholeNumber(wordAfterName(stat, PARENT_WORD));
}

/** The letter of the state in the text of /proc/<pid>/stat; "" if it is malformed. */
export function parseState(stat: string): string {
  return /^\) ([A-Za-z]) /.exec(stat.slice(stat.lastIndexOf(")")))?.[1] ?? "";
}

/** Processor time of a process in ticks: utime + stime of /proc/<pid>/stat. */
export function parseCpuTicks(stat: string): number {
  const words = stat.slice(stat.lastIndexOf(")")).split(" ");
  return wholeNumber(words[UTIME_WORD]) + wholeNumber(words[STIME_WORD]);
}

/** The pid of the debugger in the text of /proc/<pid>/status; 0 = none is known. */
export function parseTracerPid(status: string): number {
  return Number(/^TracerPid:[ \t]+([0-9]+)$/m.exec(status)?.[1] ?? 0);
}

/**
 * The path of a process in the hierarchy of `controller` ("" = the unified one) from the text of
 * /proc/<pid>/cgroup; undefined if there is none, or if it points out of what is mounted here.
 */
export function cgroupPath(cgroupText: string, controller: string): string | undefined {
  for (const line of cgroupText.split("\n")) {
    const [, names, path] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (names === undefined || !names.split(",").includes(controller)) continue;
    return path!.split("/").includes("..") ? undefined : path;
  }
  return undefined;
}

/** Inode from "pid:[4026531836]"; NaN if it is malformed. */
export function parseNamespaceLink(text: string): number {
  const match = /^pid:\[([0-9]+)\]$/.exec(text);
  return wholeNumber(match?.[1]);
}

/**
 * The pids of the NSpid line, the daemon's own namespace first; none if there is no such line. A
 * cut line could hide a number.
 */
export function parseNspids(status: string): readonly number[] {
  const match = /^NSpid:((?:[ \t]+[0-9]+)+)[ \t]*\n/m.exec(status);
  return match === null ? [] : match[1]!.trim().split(/\s+/).map(Number);
}

/** The second number of the Gid line of /proc/<pid>/status, and those of the Groups line. */
export function parseGroups(status: string): readonly number[] {
  const gid = /^Gid:[ \t]+[0-9]+[ \t]+([0-9]+)/m.exec(status)?.[1];
  const groups = /^Groups:[ \t]*([0-9 ]*)/m.exec(status)?.[1] ?? "";
  const words = groups
    .trim()
    .split(" ")
    .filter((word) => word !== "");
  return (gid === undefined ? words : [gid, ...words]).map(Number);
}

/** The first number of the Uid line of /proc/<pid>/status; NaN if there is none. */
export function parseRealUid(status: string): number {
  return wholeNumber(/^Uid:[ \t]+([0-9]+)[ \t]/m.exec(status)?.[1]);
}

/**
 * The word of this number, from 1, after the command name in /proc/<pid>/stat. Each look at a
 * member asks for some of them, and to split the line would make fifty texts each time.
 */
function wordAfterName(stat: string, number: number): string | undefined {
  // The name may hold ")" and spaces; one space stands before each word.
  let start = stat.lastIndexOf(")") + 1;
  if (start === 0) return undefined;
  for (let before = 1; before < number && start > 0; before++) start = stat.indexOf(" ", start + 1);
  if (start <= 0 || stat.charCodeAt(start) !== SPACE) return undefined;
  const end = stat.indexOf(" ", start + 1);
  return end < 0 ? stat.slice(start + 1).trimEnd() : stat.slice(start + 1, end);
}

function wholeNumber(digits: string | undefined): number {
  if (digits === undefined || !/^[0-9]+$/.test(digits)) return Number.NaN;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}
