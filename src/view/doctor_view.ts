// What the request `doctor` answers. Fields are only ever added.

export interface DoctorView {
  readonly queues: readonly QueueView[];
  /** Of the last minute, the time in which the observer was paused. */
  readonly paused_in_minute_ms: number;
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
