// What requests that act reach of the daemon. Each is done between two turns and noted with who
// asked, or is refused for a reason.
import type { LogLevel } from "../config/config.ts";
import type { Asker } from "../events/act.ts";
import type * as answers from "../view/act_views.ts";

export interface ActsDoor {
  mute(request: MuteRequest, by: Asker): answers.MuteAnswer | answers.ActRefusal;
  /** Undefined = the mute of all agents. */
  unmute(target: string | undefined, by: Asker): answers.UnmuteAnswer | answers.ActRefusal;
  mutes(): answers.MutesView;
  /** What `recover` would find and do. */
  tryRecover(request: RecoverRequest): answers.RecoverDryRun | answers.ActRefusal;
  recover(request: RecoverRequest, by: Asker): answers.RecoveryBegun | answers.ActRefusal;
  forget(target: string, by: Asker): answers.ForgetAnswer | answers.ActRefusal;
  logLevel(level: LogLevel, forNs: number, by: Asker): answers.LogLevelAnswer | answers.ActRefusal;
}

export interface MuteRequest {
  /** An agent, a pid, "ADDRESS/PID", a pattern, or undefined = all agents. */
  readonly target: string | undefined;
  readonly forNs: number;
  readonly reason: string;
}

export interface RecoverRequest {
  readonly target: string;
  /** Also of a member that is not stalled. */
  readonly isForced: boolean;
}
