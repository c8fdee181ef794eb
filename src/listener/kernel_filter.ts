// What RubbishWatch needs of a listener's socket; the simulator implements it over a simulated one.
export interface KernelFilter {
  /** True: receives count the rubbish among what they take. */
  isCounting: boolean;
  /** Rubbish counted since the last call. */
  takeCounted(): number;
  /**
   * Datagrams that the filter dropped since the last call: an estimate from what it let through.
   */
  takeDropped(): number;
  /**
   * Puts the filter on the socket, or changes it: it lets one in `sample` of the rubbish through. 0
   * or -errno.
   */
  attach(sample: number): number;
  /** Puts it on again if the listener has another socket now. */
  renew(): void;
  detach(): void;
}
