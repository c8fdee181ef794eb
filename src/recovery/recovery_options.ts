// What a recovery sink is made with, and what it takes.
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { Stall } from "../events/stall.ts";
import type { GuardWatch } from "../observer/guard_watch.ts";
import type { AgentHost } from "./agent_host.ts";
import type { Freshness } from "./checks.ts";
import type { ChildRunner } from "./children/child_runner.ts";
import type { IsMuted } from "./held_stalls.ts";
import type { RecoverySettings } from "./policies.ts";

export interface RecoveryOptions extends RecoverySettings {
  readonly runner: ChildRunner;
  /** Undefined = no signals and no units: an observer of beats alone. */
  readonly host?: AgentHost;
  readonly freshness: Freshness;
  /** Receives every outcome, in order, during the calls below; must not call back. */
  readonly outcomes: (outcome: RecoveryOutcome) => void;
  /** Capacity of the tracker: at most one child and one debounce window for each agent. */
  readonly capacity: number;
  /** The observer's own pid namespace; NaN = unknown. */
  readonly observerNamespaceInode: number;
  /**
   * Unix time in ms of observer time 0; asked for at each spawn, since the wall clock may be set.
   */
  readonly unixMsAtStart: () => number;
  /** The daemon's environment, for `inherit_env`. */
  readonly daemonEnv: Readonly<Record<string, string | undefined>>;
  /** Whether a stall has to wait for the end of a mute; undefined = nobody is muted. */
  readonly isMuted?: IsMuted;
  /** Undefined = silence is never the observer's own fault. */
  readonly guard?: GuardGate | undefined;
  /** For the time that spawns take; undefined = only their number is limited. */
  readonly monotonicNs?: () => number;
}

/** Whether too many members are silent at once for any of them to be judged. */
export type GuardGate = Pick<GuardWatch, "view" | "isHeld">;

/** The stalls that wait for a decision. */
export interface WaitingStalls {
  readonly isEmpty: boolean;
  /** The oldest; requires that it is not empty. Undefined = there is nothing to decide about it. */
  take(): Stall | undefined;
}
