// Takes a changed configuration over (spec 17): asked for by a signal or over the control socket,
// one at a time, and once more for all who ask while one runs. The file is read, checked and
// compared elsewhere while the turns go on. A failure changes nothing and does not stick. The
// service manager hears of the end of each, whatever it was.
import { NS_PER_MS, NS_PER_S, NS_PER_US, wholeMsFromNs } from "../../base/time.ts";
import type { Config } from "../../config/config.ts";
import type { LoadSuccess } from "../../config/load_result.ts";
import { placedFailure } from "../../config/problems/placed.ts";
import type { ReloadResult } from "../../view/reload_view.ts";
import type { Deadline } from "../deadline.ts";
import type { LiveConfig } from "../live_config.ts";
import { DoorFault, type PreparedDoors } from "../door_change.ts";
import { errorText } from "../start_error.ts";
import { type NextConfig, type NextResult, type NotApplied, notApplied } from "./next_config.ts";
import type { Busy, Reading } from "./next_reader.ts";
import { eventText, logResult, type ReloadLog, shownProblem, troubleOf } from "./reload_reports.ts";
import { type MemberCounts, type ShownChange, shownChange } from "./shown_changes.ts";
import type { Swap } from "./swap.ts";

/** What is prepared and then applied between two turns. */
type Applied = Pick<Swap, "isPossible" | "prepare" | "run" | "drop">;

interface ReloaderOptions {
  /** Begins to read and check the file again; undefined = the daemon was started without one. */
  readonly read: ((before: Config, busy: Busy) => Reading) | undefined;
  readonly file: string | undefined;
  readonly live: LiveConfig;
  readonly log: ReloadLog;
  /** Opens what the new configuration wants to be open; throws `DoorFault`. */
  readonly makeSwap: (next: NextConfig, files: PreparedDoors) => Applied;
  /** Opens the files that it wants to write, which takes a moment; throws `DoorFault`. */
  readonly openFiles: (before: Config, next: Config) => Promise<PreparedDoors>;
  /** Of the rules in force. */
  readonly memberCounts: () => MemberCounts;
  /** Level and format for the lines to come. */
  readonly changeLog: (log: Config["log"]) => void;
  /** The service manager: a reload begins, at CLOCK_MONOTONIC in microseconds, and is over. */
  readonly notifyBegin: (monotonicUs: number) => void;
  /** `trouble` is for its status line; undefined = there is none. */
  readonly notifyEnd: (trouble: string | undefined) => void;
  /** It is kept with the other events. */
  readonly happened: (detail: string) => void;
  /** What the page says of the last one. */
  readonly counted: (succeeded: boolean) => void;
  /** What the file has is in force. */
  readonly kept: (text: string) => void;
  /** Of the observer, by which its deadlines are counted. */
  readonly nowNs: () => number;
  readonly monotonicNs: () => number;
  readonly wallMs: () => number;
}

/**
 * For reading and checking: well within what a service manager waits for READY=1, 30 s in the unit.
 */
const READING_NS_MAX = 10 * NS_PER_S;

interface Preparing {
  readonly swap: Applied;
  readonly next: NextConfig;
}

type Answer = (result: ReloadResult) => void;

/** One reload that runs, or a try that applies nothing. */
interface Run {
  readonly isDry: boolean;
  readonly answers: readonly Answer[];
  readonly beganNs: number;
  reading: Reading | undefined;
  /** The longest time for which it kept the loop from everything else. */
  pauseNs: number;
  /** Since when the turn is at it that prepares or swaps; +Infinity = none is. */
  turnBeganNs: number;
  /** Observer time at which the reading is given up. */
  readonly untilNs: number;
  preparing: Preparing | undefined;
}

export class Reloader implements Deadline {
  readonly #options: ReloaderOptions;
  /** The daemon is ready, and not on its way out. */
  #isOpen = false;
  #isWanted = false;
  readonly #waiting: Answer[] = [];
  readonly #waitingForTry: Answer[] = [];
  #run: Run | undefined = undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** Requests are served from now on, also those that came before. */
  open(): void {
    this.#isOpen = true;
    this.#begin();
  }

  /** The daemon ends: nothing is begun or swapped any more. */
  close(): void {
    this.#isOpen = false;
    this.#run?.reading?.cancel();
    this.#run?.preparing?.swap.drop();
    this.#run = undefined;
  }

  /** Asks for a reload that begins after this call; `answer` hears how it ended. */
  request(answer?: Answer): void {
    this.#isWanted = true;
    if (answer !== undefined) this.#waiting.push(answer);
    this.#begin();
  }

  /** As `request`, but nothing is applied, and nobody else hears of it. */
  tryOut(answer: Answer): void {
    this.#waitingForTry.push(answer);
    this.#begin();
  }

  nextDeadlineNs(): number {
    if (this.#run === undefined) return Number.POSITIVE_INFINITY;
    return this.#run.preparing === undefined ? this.#run.untilNs : 0;
  }

  /** Between two turns: goes on with what is prepared, and swaps when all of it is. */
  maintain(nowNs: number): void {
    const run = this.#run;
    if (run === undefined) return;
    if (run.preparing !== undefined) this.#goOn(run, run.preparing, nowNs);
    else if (nowNs >= run.untilNs) {
      run.reading?.cancel();
      const limit = `${READING_NS_MAX / NS_PER_S}s`;
      this.#fail(run, notApplied(`was not read and checked within ${limit}`, this.#options.file));
    }
  }

  #begin(): void {
    if (this.#run !== undefined || !this.#isOpen) return;
    const isDry = !this.#isWanted;
    const answers = (isDry ? this.#waitingForTry : this.#waiting).splice(0);
    if (isDry && answers.length === 0) return;
    if (!isDry) this.#isWanted = false;
    const { monotonicNs, nowNs, notifyBegin, read, live } = this.#options;
    const beganNs = monotonicNs();
    const untilNs = nowNs() + READING_NS_MAX;
    const run: Run = {
      isDry,
      answers,
      beganNs,
      untilNs,
      reading: undefined,
      pauseNs: 0,
      turnBeganNs: Number.POSITIVE_INFINITY,
      preparing: undefined,
    };
    this.#run = run;
    if (!isDry) notifyBegin(Math.ceil(beganNs / NS_PER_US));
    const busy: Busy = (work) => this.#busy(run, work);
    run.reading = busy(() => read?.(live.current, busy));
    void this.#follow(run);
  }

  /** Nothing else is done meanwhile: the longest of these is the pause of the reload. */
  #busy<Result>(run: Run, work: () => Result): Result {
    const { monotonicNs } = this.#options;
    const beganNs = monotonicNs();
    try {
      return work();
    } finally {
      run.pauseNs = Math.max(run.pauseNs, monotonicNs() - beganNs);
    }
  }

  async #follow(run: Run): Promise<void> {
    const none = notApplied("the daemon was started without a configuration file");
    const next: NextResult = run.reading === undefined ? none : await run.reading.result;
    // It was given up meanwhile.
    if (this.#run !== run) return;
    if (!next.ok) {
      this.#fail(run, next);
      return;
    }
    try {
      const { live } = this.#options;
      const isSame = next.changes.length === 0;
      if (isSame && !run.isDry) live.moved(() => Promise.resolve(next.places));
      if (run.isDry || isSame) this.#succeed(run, next, live);
      else await this.#open(run, next);
    } catch (error) {
      this.#fail(run, await faultOf(error, next));
    }
  }

  async #open(run: Run, next: NextConfig): Promise<void> {
    const { live, openFiles } = this.#options;
    const files = await openFiles(live.current, next.loaded.config);
    if (this.#run === run) this.#prepare(run, next, files);
    else files.drop();
  }

  /** The turns go on from here. */
  #prepare(run: Run, next: NextConfig, files: PreparedDoors): void {
    const swap = this.#busy(run, () => this.#options.makeSwap(next, files));
    if (swap.isPossible) run.preparing = { swap, next };
    else this.#failForNames(run, { swap, next });
  }

  #failForNames(run: Run, { swap, next }: Preparing): void {
    swap.drop();
    const { file } = next.loaded;
    this.#fail(run, notApplied("found more names of agents than there are places", file));
  }

  #goOn(run: Run, { swap, next }: Preparing, nowNs: number): void {
    const { live, memberCounts, changeLog, monotonicNs } = this.#options;
    run.turnBeganNs = monotonicNs();
    try {
      if (!this.#busy(run, () => swap.prepare())) return;
    } catch (error) {
      swap.drop();
      this.#fail(run, notApplied(`cannot reload: ${errorText(error)}`));
      return;
    }
    // Members that came while it was prepared may have taken the places.
    if (!swap.isPossible) {
      this.#failForNames(run, { swap, next });
      return;
    }
    const before = { current: live.current, had: memberCounts() };
    try {
      swap.run(nowNs);
    } catch (error) {
      // Half of it is applied, so the daemon cannot go on; its manager must not wait for it.
      this.#fail(run, notApplied(`cannot reload: ${errorText(error)}`));
      throw error;
    }
    this.#succeed(run, next, before);
    // Only now, or a quieter level would leave out that there was a reload.
    changeLog(next.loaded.config.log);
  }

  #succeed(run: Run, { loaded, changes }: NextConfig, before: Before): void {
    const around = {
      before: before.current,
      after: loaded.config,
      had: before.had ?? this.#options.memberCounts(),
      have: run.isDry ? undefined : this.#options.memberCounts(),
      unixMs: this.#options.wallMs(),
    };
    const shown = changes.map((change) => shownChange(change, around));
    this.#end(run, { applied: !run.isDry, changes: shown, problems: [] }, loaded);
  }

  #fail(run: Run, { problems, takesRestart }: NotApplied): void {
    const shown = problems.map((problem) => shownProblem(problem, takesRestart));
    this.#end(run, { applied: false, changes: [], problems: shown });
  }

  /** Nothing is awaited: between two turns the runtime does not come round. */
  #end(run: Run, outcome: Outcome, loaded?: LoadSuccess): void {
    // It was given up, or the daemon ends.
    if (this.#run !== run) return;
    const { file = "", counted, notifyEnd, happened, log, monotonicNs, wallMs } = this.#options;
    this.#run = undefined;
    const { applied, problems } = outcome;
    const endedNs = monotonicNs();
    const pauseNs = Math.max(run.pauseNs, endedNs - run.turnBeganNs);
    const result: ReloadResult = {
      v: 1,
      time: new Date(wallMs()).toISOString(),
      file: loaded?.file ?? file,
      took_ms: wholeMsFromNs(endedNs - run.beganNs),
      pause_ms: Math.ceil((pauseNs / NS_PER_MS) * 10) / 10,
      applied,
      dry_run: run.isDry,
      changes: outcome.changes.map(({ where, key, how, effect }) => ({ where, key, how, effect })),
      problems,
    };
    if (!run.isDry) {
      logResult(log, result, outcome.changes);
      happened(eventText(problems, outcome.changes));
      counted(problems.length === 0);
      if (loaded !== undefined) this.#options.kept(loaded.text);
      notifyEnd(problems.length === 0 ? undefined : troubleOf(problems));
    }
    for (const answer of run.answers) answer(result);
    this.#begin();
  }
}

/** Why it could not be prepared: a door with the place of its key, or a mistake of the program. */
async function faultOf(error: unknown, { loaded }: NextConfig): Promise<NotApplied> {
  if (!(error instanceof DoorFault)) return notApplied(`cannot reload: ${errorText(error)}`);
  const { path, message: text } = error;
  const { problems } = await placedFailure([{ path, text }], loaded);
  return { ok: false, problems, takesRestart: false };
}

/** What was in force, and how many members its rules had. */
interface Before {
  readonly current: Config;
  readonly had?: MemberCounts;
}

interface Outcome extends Pick<ReloadResult, "applied" | "problems"> {
  readonly changes: readonly ShownChange[];
}
