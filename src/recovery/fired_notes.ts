// What is noted of each recovery before it acts, and what the notes of the daemon before this one
// say: its debounce windows, the recoveries that its last state does not count yet, and those that
// were under way when it was killed (spec 10 section 3, spec 18 section 8).
import { msFromNs, nsFromMs } from "../base/time.ts";
import type { FiredEntry, FiredProgress } from "./fired_entry.ts";
import type { FiredJournal } from "./fired_journal.ts";
import type { History } from "./history.ts";
import type { PaceKey } from "./pace.ts";
import type { Reporter } from "./reporter.ts";
import type { Sequence } from "./sequence.ts";
import type { StormLimit } from "./storm_limit.ts";

type RecoveryJournal = Pick<
  FiredJournal,
  "found" | "saysProgress" | "began" | "goesOn" | "forget" | "settle"
>;

/** The state that was read beside the journal. */
export interface NotedState {
  /** Of which machine start this is; "" = unknown. */
  readonly bootId: string;
  /** Processes of the state are those of now. */
  readonly isSameBoot: boolean;
  /** When the state was taken, on two clocks; undefined = there is none. */
  readonly moment: { readonly unixMs: number; readonly observerNs: number } | undefined;
}

/** The journal stands beside no state. */
export const NO_STATE: NotedState = { bootId: "", isSameBoot: true, moment: undefined };

/** A recovery of the daemon before this one, in times of this one. */
export interface NotedRecovery {
  readonly pid: number;
  readonly key: number;
  readonly generation: number;
  readonly firedNs: number;
  /** Whose recoveries it counts with; undefined = that was not noted. */
  readonly paceKey: PaceKey | undefined;
  /** Its process, and what is kept by its key, are of this start of the machine. */
  readonly isSameBoot: boolean;
  /** It began after the state was taken. */
  readonly isAfterState: boolean;
  readonly progress: FiredProgress | undefined;
}

/** It was under way when the daemon was killed. */
export function isUnderWay({ isSameBoot, progress }: NotedRecovery): boolean {
  return isSameBoot && progress?.isOver === false;
}

/** The note of one recovery that has begun. */
export class FiredNote {
  readonly #journal: RecoveryJournal;
  readonly #line: number;
  #entry: FiredEntry;

  constructor(journal: RecoveryJournal, entry: FiredEntry) {
    this.#journal = journal;
    this.#entry = entry;
    this.#line = journal.began(entry);
  }

  /** Its next step is about to be done. */
  goesOn({ recoveryId, stepNumber }: Pick<Sequence, "recoveryId" | "stepNumber">): void {
    this.#changes({ recoveryId, stepNumber });
  }

  /** What it came to was reported. */
  isOver({ recoveryId, stepNumber }: Pick<Sequence, "recoveryId" | "stepNumber">): void {
    this.#changes({ recoveryId, stepNumber, isOver: true });
  }

  /** It did not begin after all. */
  forget(): void {
    this.#journal.forget(this.#line);
  }

  #changes(change: Partial<FiredProgress>): void {
    const { progress } = this.#entry;
    if (progress === undefined) return;
    this.#entry = { ...this.#entry, progress: { ...progress, ...change } };
    this.#journal.goesOn(this.#line, this.#entry);
  }
}

interface NotesOptions {
  readonly history: History;
  readonly storm: StormLimit;
  readonly reporter: Reporter;
  /** Unix time in ms of observer time 0. */
  readonly unixMsAtStart: () => number;
}

export class FiredNotes {
  readonly #options: NotesOptions;
  #journal: RecoveryJournal | undefined = undefined;
  #bootId = "";

  constructor(options: NotesOptions) {
    this.#options = options;
  }

  /**
   * Notes recoveries in `journal` from now on, if there is one, and holds those that the daemon
   * before this one began, `older` ones of another journal, too. Returns them, the oldest first.
   */
  use(
    journal: RecoveryJournal | undefined,
    state: NotedState,
    nowNs: number,
    older: readonly FiredEntry[] = [],
  ): readonly NotedRecovery[] {
    const { history, storm, reporter } = this.#options;
    this.#journal = journal;
    this.#bootId = state.bootId;
    const noted = this.#noted([...older, ...(journal?.found ?? [])], state, nowNs);
    const stateNs = state.moment?.observerNs ?? Number.NEGATIVE_INFINITY;
    history.hold(noted, stateNs, nowNs);
    const after = noted.filter(({ isAfterState }) => isAfterState);
    storm.hold(
      after.map(({ firedNs }) => firedNs),
      stateNs,
    );
    for (const { progress } of noted) reporter.goesOnAfter(progress?.recoveryId ?? 0);
    return noted;
  }

  /** Reports of one for which `isUnderWay` that its outcome is not known. */
  interrupted(noted: NotedRecovery, agent: number, nowNs: number): void {
    this.#options.reporter.interrupted(noted, agent, nowNs);
  }

  /** All of them were reported. */
  settle(): void {
    this.#journal?.settle();
  }

  /** Notes that the recovery is about to begin with its first step. */
  note(sequence: Sequence, nowNs: number): FiredNote | undefined {
    const { stall, paceKey, plan, isDryRun } = sequence;
    const { key, pid, generation } = stall;
    const journal = this.#journal;
    if (journal === undefined || isDryRun) return undefined;
    // A pid that another source holds says nothing to the daemon after this one.
    if (!journal.saysProgress && key !== pid) return undefined;
    const progress = {
      key,
      bootId: this.#bootId,
      paceName: typeof paceKey === "string" ? paceKey : "",
      plan: plan.name,
      recoveryId: this.#options.reporter.nextRecoveryId,
      stepNumber: 1,
      stepCount: plan.steps.length,
      isOver: false,
    };
    const unixMs = this.#options.unixMsAtStart() + msFromNs(nowNs);
    return new FiredNote(journal, { pid, generation, unixMs, progress });
  }

  /** In times of this daemon, the oldest first. */
  #noted(
    entries: readonly FiredEntry[],
    { bootId, isSameBoot, moment }: NotedState,
    nowNs: number,
  ): NotedRecovery[] {
    const startUnixMs = this.#options.unixMsAtStart();
    // The state says which moment of this daemon its own was, and what was noted after it is near
    // that; without one there is the wall clock.
    const origin = moment ?? { unixMs: startUnixMs, observerNs: 0 };
    // Lines of a ring begin anywhere.
    const found = [...entries].sort((a, b) => a.unixMs - b.unixMs);
    return found.map(({ pid, generation, unixMs, progress }) => {
      const name = progress?.paceName;
      const key = progress?.key ?? pid;
      const firedNs = origin.observerNs + nsFromMs(unixMs - origin.unixMs);
      return {
        pid,
        key,
        generation,
        // A wall clock that was set back must not hold a window for longer than the debounce.
        firedNs: Math.min(nowNs, firedNs),
        paceKey: name === "" ? key : name,
        isSameBoot: isSameBoot && (progress === undefined || progress.bootId === bootId),
        isAfterState: moment === undefined || unixMs > moment.unixMs,
        progress,
      };
    });
  }
}
