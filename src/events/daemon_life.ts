// The begin and the end of a daemon, and its reloads, as the export tells them (spec 09 section
// 1.2): what stands before, between and after the events of one run.

interface OfDaemon {
  readonly observerNs: number;
  /** Of the daemon itself. */
  readonly pid: number;
}

export interface DaemonBoot extends OfDaemon {
  readonly version: string;
  /** Of this start of the machine, by the kernel: pids and generations are of it; "" = unknown. */
  readonly bootId: string;
  /** Of this run, as in the log. */
  readonly sessionId: string;
  /** Path of the configuration file. */
  readonly config: string;
}

/** The file was read again. */
export interface DaemonReload extends OfDaemon {
  /** Path of the configuration file. */
  readonly config: string;
  /** What has changed, or why nothing was applied: "nothing changed". */
  readonly detail: string;
}

export interface DaemonShutdown extends OfDaemon {
  readonly sessionId: string;
  readonly reason: string;
  readonly exitCode: number;
  /** Members in the table. */
  readonly members: number;
  /** Accepted beats of the whole run. */
  readonly beats: number;
}
