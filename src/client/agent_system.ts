// What a client asks the system: which process this is, and what time it is. An interface, so that
// a test can be a forked child or a machine that has been up for a thousand years.

export interface AgentSystem {
  /** Pid of this process, never cached. */
  pid(): number;
  /**
   * Reads the monotonic clock; 0, or negative if it cannot be read. The reading is then in the two
   * parts below.
   */
  readClock(): number;
  seconds(): number;
  nanoseconds(): number;
}
