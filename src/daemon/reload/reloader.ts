// Takes a changed configuration over (spec 17): asked for by a signal or over the control socket,
// one at a time, and once more for all who ask while one runs. A failure changes nothing and does
// not stick. The service manager hears of the end of each, whatever it was.
import { NS_PER_MS, NS_PER_US } from "../../base/time.ts";
import type { Config } from "../../config/config.ts";
import { type Change, changeLine, diffConfigs } from "../../config/diff/diff.ts";
import { restartFailure } from "../../config/diff/restart_problems.ts";
import type { LoadFailure, LoadResult, LoadSuccess, Problem } from "../../config/load_result.ts";
import { placedFailure } from "../../config/problems/placed.ts";
import { failure } from "../../config/problems/render.ts";
import type { Deadline } from "../deadline.ts";
import { DoorFault } from "../door_change.ts";
import type { LiveConfig } from "../live_config.ts";
import type { Log } from "../log.ts";
import { errorText } from "../start_error.ts";
import type { Swap } from "./swap.ts";

/** What the asker hears. */
export type ReloadResult = Reloaded | LoadFailure;

interface Reloaded {
  readonly ok: true;
  readonly file: string | undefined;
  readonly changes: readonly ReloadChange[];
  readonly tookMs: number;
}

interface ReloadChange {
  /** "threshold of agent worker: 5s -> 2s" */
  readonly line: string;
  /** Members that the rule has; -1 = it is no change of a rule. */
  readonly members: number;
}

interface ReloaderOptions {
  /** Reads and checks the file again; undefined = the daemon was started without one. */
  readonly load: (() => Promise<LoadResult>) | undefined;
  readonly live: LiveConfig;
  readonly log: Pick<Log, "info" | "error">;
  /** Opens what the new configuration wants to be open; throws `DoorFault`. */
  readonly makeSwap: (loaded: LoadSuccess) => Pick<Swap, "isPossible" | "prepare" | "run" | "drop">;
  /** Members of the rule of an index, by the configuration in force. */
  readonly membersOfRule: (rule: number) => number;
  /** Level and format for the lines to come. */
  readonly changeLog: (log: Config["log"]) => void;
  /** The service manager: a reload begins, at CLOCK_MONOTONIC in microseconds, and is over. */
  readonly notifyBegin: (monotonicUs: number) => void;
  /** `trouble` is for its status line; undefined = there is none. */
  readonly notifyEnd: (trouble: string | undefined) => void;
  /** What the page says of the last one. */
  readonly counted: (succeeded: boolean) => void;
  readonly monotonicNs: () => number;
}

/** Lines of one reload in the log: a rewritten file has as many changes as keys. */
const LINES_MAX = 100;

interface Preparing {
  readonly swap: Pick<Swap, "prepare" | "run" | "drop">;
  readonly loaded: LoadSuccess;
  readonly changes: readonly Change[];
}

type Answer = (result: ReloadResult) => void;

export class Reloader implements Deadline {
  readonly #options: ReloaderOptions;
  /** The daemon is ready, and not on its way out. */
  #isOpen = false;
  #isWanted = false;
  readonly #waiting: Answer[] = [];
  /** Who is answered by the one that runs; undefined = none runs. */
  #running: readonly Answer[] | undefined = undefined;
  #beganNs = 0;
  #preparing: Preparing | undefined = undefined;

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
    this.#preparing?.swap.drop();
    this.#preparing = undefined;
  }

  /** Asks for a reload that begins after this call; `answer` hears how it ended. */
  request(answer?: Answer): void {
    this.#isWanted = true;
    if (answer !== undefined) this.#waiting.push(answer);
    this.#begin();
  }

  nextDeadlineNs(): number {
    return this.#preparing === undefined ? Number.POSITIVE_INFINITY : 0;
  }

  /** Between two turns: goes on with what is prepared, and swaps when all of it is. */
  maintain(nowNs: number): void {
    const preparing = this.#preparing;
    if (preparing === undefined || !preparing.swap.prepare()) return;
    this.#preparing = undefined;
    const { swap, loaded, changes } = preparing;
    swap.run(nowNs);
    this.#end(this.#reloaded(loaded, changes));
    // Only now, or a quieter level would leave out that there was a reload.
    this.#options.changeLog(loaded.config.log);
  }

  #begin(): void {
    if (this.#running !== undefined || !this.#isWanted || !this.#isOpen) return;
    this.#isWanted = false;
    this.#running = this.#waiting.splice(0);
    void this.#run();
  }

  async #run(): Promise<void> {
    const { monotonicNs, notifyBegin } = this.#options;
    this.#beganNs = monotonicNs();
    notifyBegin(Math.ceil(this.#beganNs / NS_PER_US));
    let loaded: LoadResult;
    let changes: readonly Change[] = [];
    try {
      loaded = await this.#load();
      if (loaded.ok) {
        changes = diffConfigs(this.#options.live.current, loaded.config);
        loaded = (await restartFailure(changes, loaded)) ?? loaded;
      }
      if (loaded.ok && changes.length > 0) loaded = await this.#prepare(loaded, changes);
    } catch (error) {
      loaded = failedWith(`cannot reload: ${errorText(error)}`);
    }
    if (!loaded.ok) this.#end(loaded);
    else if (changes.length === 0) this.#end(this.#reloaded(loaded, changes));
  }

  async #load(): Promise<LoadResult> {
    const { load } = this.#options;
    if (load === undefined)
      return failedWith("the daemon was started without a configuration file");
    const loaded = await load();
    const isEmpty = loaded.ok && loaded.text.trim() === "";
    return isEmpty ? failedWith("found an empty file; want a configuration", loaded.file) : loaded;
  }

  /** The turns go on from here. */
  async #prepare(loaded: LoadSuccess, changes: readonly Change[]): Promise<LoadResult> {
    if (!this.#isOpen) return failedWith("the daemon ends");
    try {
      const swap = this.#options.makeSwap(loaded);
      if (swap.isPossible) this.#preparing = { swap, loaded, changes };
      else {
        swap.drop();
        return failedWith("found more names of agents than there are places", loaded.file);
      }
    } catch (error) {
      if (!(error instanceof DoorFault)) throw error;
      return await placedFailure([{ path: error.path, text: error.message }], loaded);
    }
    return loaded;
  }

  #reloaded({ file }: LoadSuccess, changes: readonly Change[]): ReloadResult {
    const tookMs = (this.#options.monotonicNs() - this.#beganNs) / NS_PER_MS;
    return { ok: true, file, changes: this.#counted(changes), tookMs };
  }

  /** Nothing is awaited: between two turns the runtime does not come round. */
  #end(result: ReloadResult): void {
    const { counted, notifyEnd } = this.#options;
    const answers = this.#running;
    this.#running = undefined;
    this.#log(result);
    counted(result.ok);
    notifyEnd(result.ok ? undefined : troubleOf(result.problems));
    for (const answer of answers ?? []) answer(result);
    this.#begin();
  }

  #counted(changes: readonly Change[]): ReloadChange[] {
    return changes.map((change) => ({
      line: changeLine(change),
      members: change.rule < 0 ? -1 : this.#options.membersOfRule(change.rule),
    }));
  }

  #log(result: ReloadResult): void {
    const { log } = this.#options;
    if (result.ok) {
      const { changes, tookMs } = result;
      log.info("reloaded", { changes: changes.length, took_ms: Math.round(tookMs) });
      for (const { line, members } of changes.slice(0, LINES_MAX))
        log.info("configuration changed", {
          change: line,
          members: members < 0 ? undefined : members,
        });
      return;
    }
    const { problems } = result;
    log.error("reload failed", {
      problems: problems.length,
      effect: "the configuration of before stays in force",
    });
    for (const problem of problems.slice(0, LINES_MAX)) {
      const { where, text } = problem;
      const said = where === "" ? text : `${where}: ${text}`;
      log.error("configuration problem", { at: placeOf(problem), problem: said });
    }
  }
}

function failedWith(text: string, source = ""): LoadFailure {
  const place = { line: undefined, column: undefined, key: "", where: "" };
  return failure([{ source, ...place, text }], 78, undefined);
}

/** "/etc/varta/varta.toml:31:13" */
function placeOf({ source, line, column }: Problem): string | undefined {
  if (source === "") return undefined;
  return line === undefined ? source : `${source}:${line}:${column}`;
}

function troubleOf(problems: readonly Problem[]): string {
  const place = problems.map(placeOf).find((one) => one !== undefined);
  return place === undefined ? "reload failed" : `reload failed: ${place}`;
}
