// What the daemon asks the system about the process that sent a beat (spec 05 section 5). The real
// reader parses /proc; tests and the simulator supply their own. NaN means unknown.

export interface ProcessReader {
  /** Start time of `pid` in clock ticks since boot (its generation); NaN if it cannot be read. */
  startTime(pid: number): number;
  /**
   * True if the process with this start time has certainly ended; one that cannot be looked up has
   * not.
   */
  hasEnded(pid: number, startTime: number): boolean;
  /** Real uid of `pid`, as the kernel attests it of a sender; NaN if it cannot be read. */
  realUid(pid: number): number;
  /**
   * Inode of the pid namespace of `pid`; NaN = unknown; 0 = foreign with its inode hidden.
   * `observerInode` is the observer's own inode (NaN = unknown), needed by the NSpid fall-back.
   */
  namespaceInode(pid: number, observerInode: number): number;
  /** The number that `pid` has in its own, innermost namespace; NaN if it cannot be read. */
  innermostPid(pid: number): number;
}

/** Where a process runs. */
export interface ProcessSeat {
  /** Its service; "" = none. */
  readonly unit: string;
  /** The uid in whose manager that runs, in digits; "" = in the system's. */
  readonly unitUser: string;
  /** Its control group in the hierarchy of the service manager, whole. */
  readonly cgroup: string;
}

export interface PlaceReader {
  /** Undefined = it is gone, or hidden from us. */
  placeOf(pid: number): ProcessSeat | undefined;
}
