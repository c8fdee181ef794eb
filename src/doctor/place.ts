// Where the checks of `doctor` look: a host, a configuration, and the daemon as far as it answers.
import type { Config } from "../config/config.ts";
import type { UnitSettings } from "../config/checks/unit_file.ts";
import type { UserAccount } from "../config/user_account.ts";
import type { DoctorView } from "../view/doctor_view.ts";
import type { ObserverStatus } from "../view/status_view.ts";

export interface Place {
  /** Undefined = it has problems. */
  readonly config: Config | undefined;
  readonly file: string | undefined;
  /** What `check` says of the file, "FILE:LINE:COLUMN: found ..."; undefined = we may not know. */
  readonly problems: readonly string[] | undefined;
  /** Whom the daemon runs as, or will. */
  readonly user: UserAccount;
  readonly unit: UnitSettings | undefined;
  /** Of who asks. */
  readonly isRoot: boolean;
  /** Undefined = it does not answer. */
  readonly daemon: SeenDaemon | undefined;
  readonly silence: Silence | undefined;
  /** Where units of systemd are; undefined = where systemd looks. */
  readonly unitDirectories: readonly string[] | undefined;
  readonly passwdFile: string;
  readonly groupFile: string;
  /** Where Prometheus is, "http://127.0.0.1:9090"; undefined = nobody said so. */
  readonly prometheus: string | undefined;
  /** /proc and /sys, or directories of the same shape in a test. */
  readonly proc: string;
  readonly sys: string;
}

/** Why the daemon does not answer, and what can be done. */
export interface Silence {
  readonly error: string;
  readonly hint: string;
  /** It runs, and does not answer this user. */
  readonly isRefusal: boolean;
  /** Nobody listens: it does not run. */
  readonly isDown: boolean;
}

export interface SeenDaemon {
  readonly pid: number;
  readonly uid: number;
  readonly observer: ObserverStatus;
  readonly agents: readonly SeenAgent[];
  /** Undefined = it does not say. */
  readonly own?: DoctorView | undefined;
}

export interface SeenAgent {
  readonly agent: string;
  readonly beatsPerS: number;
  readonly memberCount: number;
  /** Of its worst member; undefined = not known, "none" = nothing is done. */
  readonly plan: string | undefined;
  /** At most so many as were asked for. */
  readonly members: readonly SeenMember[];
}

interface SeenMember {
  readonly pid: number;
  /** The address from which it beats; null = this machine. */
  readonly source: string | null;
  readonly unit: string;
}

export function memberCount({ agents }: SeenDaemon): number {
  return agents.reduce((sum, agent) => sum + agent.memberCount, 0);
}
