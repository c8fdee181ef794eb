// What the request `doctor` answers. Fields are only ever added.

export interface DoctorView {
  readonly queues: readonly QueueView[];
  /** Of the last minute, the time in which the observer was paused. */
  readonly paused_in_minute_ms: number;
  readonly rules: RulesView;
  /** Null = none is to be kept. */
  readonly state: StateFileView | null;
}

export interface StateFileView {
  readonly file: string;
  /** Why it is not kept, or was not written the last time; null = it is. */
  readonly problem: string | null;
}

/** The rules in force against the members; of names there are at most some. */
export interface RulesView {
  readonly count: number;
  /** "db ([[agent]] 2)": they took nobody since the start or since they were changed. */
  readonly idle: readonly string[];
  readonly idle_count: number;
  /** Agents of which a member has no rule. */
  readonly without: readonly {
    readonly agent: string;
    /** Of such a member on this machine; null = there is none. */
    readonly pid: number | null;
  }[];
  readonly without_count: number;
}

/** The queue in which beats wait for a Unix listener. */
export interface QueueView {
  readonly listener: string;
  readonly path: string;
  /** The setting that the socket was made with; null = not known. */
  readonly holds: number | null;
  /** How often as much was taken from it as it holds. */
  readonly full: number;
}
