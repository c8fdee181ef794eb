// What the harness knows to be true while a row of the fault table runs: which agents it silenced,
// when, and until when a daemon has to have told it. Every other agent is healthy all the time.
// Times are wall-clock milliseconds, because those are what a daemon's files have, across restarts.

/** A silence that the harness made; nobody but it is a true stall. */
export interface Silence {
  readonly pid: number;
  readonly fromMs: number;
  /** Infinity: the process is dead. */
  readonly toMs: number;
  /** A stall that is told later than this counts as missed. */
  readonly toldByMs: number;
  /** For people: "killed during the stop". */
  readonly how: string;
}

/** Of silences that begin while nobody can look: when somebody can again. */
export interface SilenceOptions {
  readonly how: string;
  readonly thresholdMs: number;
  /** Since when the daemon could hear again; default: it never was away. */
  readonly heardFromMs?: number;
  readonly toMs?: number;
}

/** What a busy machine may add to any deadline, and a child of the daemon to its start. */
export const SLACK_MS = 1_000;

export class Truth {
  readonly silences: Silence[] = [];

  /** A silence may be told one threshold late: a pause gives every agent a whole one again. */
  silenced(pid: number, fromMs: number, options: SilenceOptions): void {
    const { how, thresholdMs, heardFromMs = fromMs, toMs = Number.POSITIVE_INFINITY } = options;
    const toldByMs = Math.max(fromMs, heardFromMs) + 2 * thresholdMs + SLACK_MS;
    this.silences.push({ pid, fromMs, toMs, toldByMs, how });
  }

  /** When the last of them has to be told, 0 without any. */
  get toldByMs(): number {
    return Math.max(0, ...this.silences.map((silence) => silence.toldByMs));
  }
}
