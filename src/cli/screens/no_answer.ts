// What a command says where the daemon does not answer: it is down, it hangs, or who asks may not.
// It works without the daemon's help: what was known last is in its state directory.
import { shellWord } from "../../base/shell_word.ts";
import { foldLines, linesText, printable } from "./cells.ts";
import { duration, plural, setDuration } from "./figures.ts";
import { painted } from "./paint.ts";
import type { Outcome, Screen } from "./screen.ts";
import { Times } from "./times.ts";

const EX_UNAVAILABLE = 69;
const EX_TEMPFAIL = 75;
const EX_NOPERM = 77;

interface DaemonDown {
  readonly host: string;
  readonly time: string;
  /** What it kept of itself; undefined = it keeps no state. */
  readonly last: LastKnown | undefined;
  /** Its configuration file, which may name another place, and why it cannot be read. */
  readonly unread?: { readonly file: string; readonly unread: string } | undefined;
}

interface LastKnown {
  /** When it was seen last. */
  readonly time: string;
  /** It may have been there for longer. */
  readonly isAtLeast?: boolean;
  /** Agents by state, where that is known. */
  readonly agents?: {
    readonly ok: number;
    /** Those that were not, by state: names. */
    readonly bad: readonly { readonly state: string; readonly agents: readonly string[] }[];
    readonly beating: number;
    readonly members: number;
  };
}

export function daemonDown(given: DaemonDown, screen: Screen): Outcome {
  const { host, time, last, unread } = printable(given);
  const times = new Times(time, screen.zone);
  const head = `${host}, ${times.now()}: not watched`;
  const isAtLeast = last?.isAtLeast === true;
  const since =
    last === undefined ? "" : ` since ${times.at(last.time)}${isAtLeast ? " or later" : ""}`;
  const lines =
    last === undefined
      ? [`${head}. Since when is not known: it left no state${unreadText(unread)}.`]
      : [
          `${head} for ${duration(times.sinceMs(last.time))}${isAtLeast ? " or less" : ""}.`,
          ...knownLines(last, times),
        ];
  return {
    stdout: linesText(lines.flatMap((line) => foldLines(line, screen.width, 4))),
    error: `the daemon on ${host} is down${since}`,
    hint: "systemctl status varta-watch",
    exitCode: EX_UNAVAILABLE,
  };
}

function unreadText(unread: DaemonDown["unread"]): string {
  if (unread === undefined) return "";
  return ` at the usual places, and ${unread.file} does not say where it is: ${unread.unread}`;
}

function knownLines({ time, agents }: LastKnown, times: Times): string[] {
  if (agents === undefined) return [];
  const { ok, bad, beating, members } = agents;
  const others = bad.map(
    ({ state, agents: names }) => `${names.length} ${state} (${names.join(", ")})`,
  );
  const states = [`${ok} ok`, ...others].join(", ");
  const beat = members === 1 ? "beats" : "beat";
  return [
    `Known at ${times.at(time)}: ${states}; ${beating} of ${plural(members, "member")} ${beat}.`,
  ];
}

/** One that was being listened to. */
export function daemonEnded(host: string): Outcome {
  return {
    stdout: "",
    error: `the daemon on ${printable(host)} has ended`,
    hint: "systemctl status varta-watch",
    exitCode: EX_UNAVAILABLE,
  };
}

/** Under what is said of a daemon that does not answer: the last screen that it gave, dim. */
export function staleText(before: string, colour: boolean): string {
  if (before === "") return "";
  const lines = before.trimEnd().split("\n");
  const dim = lines.map((line) => `${painted(line, "dim", colour)}\n`).join("");
  return `\nThe last answer was:\n\n${dim}`;
}

/** The letter of its state in /proc; "" = that is not known. */
export function daemonSilent(pid: number | undefined, procState: string, afterMs: number): Outcome {
  const who = pid === undefined ? "the daemon" : `the daemon (pid ${pid})`;
  const isStopped = procState === "T" && pid !== undefined;
  return {
    stdout: "",
    error: `${who} did not answer within ${setDuration(afterMs)}`,
    hint: isStopped
      ? `it is stopped (state T): kill -CONT ${pid}`
      : "journalctl -u varta-watch -n 20",
    exitCode: EX_TEMPFAIL,
  };
}

interface NotPermitted {
  readonly uid: number;
  /** "" = it has no name. */
  readonly user: string;
  readonly socket: string;
  /** "" = no group but that of root is let in, which is nobody's to join. */
  readonly group: string;
}

export function notPermitted(given: NotPermitted): Outcome {
  const { uid, user, socket, group } = printable(given);
  const join = user === "" ? "" : `: usermod -aG ${shellWord(group)} ${shellWord(user)}`;
  const member = `a member of group ${group}${join}`;
  return {
    stdout: "",
    error: `you (${whoText(uid, user)}) may not ask ${socket}`,
    hint: `be root, or ${group === "" ? "let a group of yours in: control.group" : member}`,
    exitCode: EX_NOPERM,
  };
}

/** The socket lets it in, and acting takes more. */
export function notOperator(given: Omit<NotPermitted, "group">): Outcome {
  const { uid, user, socket } = printable(given);
  return {
    stdout: "",
    error: `you (${whoText(uid, user)}) may ask ${socket}, and not act`,
    hint: `be root, or an operator: [control] operators = ["${user || uid}"]`,
    exitCode: EX_NOPERM,
  };
}

function whoText(uid: number, user: string): string {
  return user === "" ? `uid ${uid}` : `uid ${uid}, ${user}`;
}
