// "varta-watch beat --for PID" and "--stdin" (spec 16 section 15): the daemon is asked for a beat
// of a process that this one descends from. So a script beats although each of its commands is a
// process of its own. Each cause is said once, and `-q` says nothing: a script goes on.
import { parentPid } from "../../ffi/process.ts";
import { pathOf, wrongUse } from "./asking.ts";
import { ask } from "./control_client.ts";
import { type Invocation, ownFlag, ownNumber, ownText } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_OK = 0;
/** What is only of a beat of this very process. */
const OF_OWN_BEATS = [
  "socket",
  "udp",
  "key-file",
  "master-key-file",
  "payload",
  "count",
  "interval",
];

export async function beatForAnother(invocation: Invocation): Promise<number> {
  const pid = ownNumber(invocation, "for");
  const isStdin = ownFlag(invocation, "stdin");
  const option = pid === undefined ? "--stdin" : "--for";
  const other = OF_OWN_BEATS.find((name) => invocation.own.has(name));
  const hint = "varta-watch help beat";
  if (other !== undefined)
    return wrongUse(`found ${option} and --${other}; want one of them`, hint);
  const beats = new Beats(invocation, pid ?? parentPid());
  return isStdin ? await beats.perLine() : beats.one();
}

class Beats {
  readonly #invocation: Invocation;
  readonly #pid: number;
  readonly #isQuiet: boolean;
  #lastError = "";

  constructor(invocation: Invocation, pid: number) {
    this.#invocation = invocation;
    this.#pid = pid;
    this.#isQuiet = ownFlag(invocation, "quiet");
  }

  /** The exit code. */
  one(): number {
    const pid = this.#pid;
    return this.#ask({ do: "beat", pid, status: ownText(this.#invocation, "status") }, "accepted");
  }

  /** The exit code. Prints `word` if it was taken. */
  #ask(
    request: { readonly do: "beat" | "bye"; readonly [field: string]: unknown },
    word: string,
  ): number {
    const pid = this.#pid;
    const path = pathOf(this.#invocation);
    const answer = ask(path, request, { screen: thisScreen(this.#invocation) });
    if (answer.ok) {
      this.#lastError = "";
      if (!this.#isQuiet) print(`${word}, pid ${pid}\n`);
      return EXIT_OK;
    }
    const isNew = answer.error !== this.#lastError;
    this.#lastError = answer.error;
    if (isNew && !this.#isQuiet) {
      printError(`cannot beat for pid ${pid}: ${answer.error}`.replace(REPEATED, "$1"));
      if (answer.hint !== "") printHint(answer.hint);
    }
    return answer.exitCode;
  }

  /**
   * A beat for each line; lines that came at once are one, so that the writer of many never waits.
   * At the end of the input the parent says goodbye, if one of its beats was heard: it owes no
   * more. The exit code is that of the last one: a daemon that comes back is found again.
   */
  async perLine(): Promise<number> {
    let exitCode = EXIT_OK;
    let isMember = false;
    for await (const chunk of Bun.stdin.stream()) {
      if (!chunk.includes(NEWLINE)) continue;
      exitCode = this.one();
      isMember ||= exitCode === EXIT_OK;
    }
    return isMember ? this.#ask({ do: "bye", pid: this.#pid }, "goodbye") : exitCode;
  }
}

const NEWLINE = 0x0a;
/** What the daemon says begins in the same way. */
const REPEATED = /^cannot beat for pid \d+: (cannot beat for pid )/;
