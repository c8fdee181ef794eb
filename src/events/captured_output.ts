// What is kept of the output of a recovery command, for the log and the audit log (spec 10 section
// 5).

export interface CapturedOutput {
  /** It is for the audit log, too: `recovery.capture` asks for that. */
  readonly isAudited: boolean;
  /** Bytes read in total. */
  readonly stdoutSizeBytes: number;
  readonly stderrSizeBytes: number;
  /** True if any byte was not kept. */
  readonly truncated: boolean;
  /** The last bytes as they came, not yet escaped. */
  readonly stdoutTail: Uint8Array;
  readonly stderrTail: Uint8Array;
}
