// Who a process is, as far as the kernel and systemd say it: what the name of its agent is made of,
// and what rules look at. All texts but `unit` and the users' names come from the process itself,
// and any of them may hold any bytes. Texts are latin1: one character for each byte.

/** What a process runs: execve changes it, and neither pid nor start time. */
export interface Program {
  readonly comm: string;
  /** The path of its program; "" = hidden from us. */
  readonly exe: string;
  /** The base name of what an interpreter runs: "worker.py"; "" = it is no interpreter. */
  readonly script: string;
  /** Another one whenever it runs another program; never 0. */
  readonly mark: number;
}

export interface Identity extends Program {
  /** As the kernel attested them for its first beat; NaN = nobody attested them. */
  readonly uid: number;
  readonly gid: number;
  /** The name of that uid, or its digits if it has none; "" without a uid. */
  readonly user: string;
  /** "worker@3.service": the unit that systemd put it into; "" = none. */
  readonly unit: string;
  /**
   * Whose manager `unit` or `container` belongs to: the name of a user, or the digits of its uid;
   * "" = it is one of the system. A user may give these any name, so they are never taken for the
   * system's: a rule means the system's unless it has "USER:" before it.
   */
  readonly unitUser: string;
  /** The id of its container, or the name of its pod or scope; "" = none is known. */
  readonly container: string;
}

/** Reads who a process is, and never its environment. `startTime` is its generation. */
export interface IdentityReader {
  /** The mark of its program; NaN if it is gone, hidden from us, or if its pid passed on. */
  programMark(pid: number, startTime: number): number;
  /**
   * All or nothing: undefined as above, or if the program changed while it was read. uid and gid
   * are as the kernel attested them, NaN = it did not.
   */
  identityOf(
    pid: number,
    startTime: number,
    uid: number,
    gid: number,
    nowNs: number,
  ): Identity | undefined;
  /** The name of `uid`, its digits if it has none; "" for NaN. */
  userName(uid: number, nowNs: number): string;
}
