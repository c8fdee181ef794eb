// Acts: what somebody asked the daemon to do (spec 16 section 10), as the sinks see it. Each is
// rare, and each is one object.

/** Who asked, as the kernel says it at the control socket. */
export interface Asker {
  readonly uid: number;
  readonly pid: number;
  /** Made up by the process itself: it is escaped before it is shown. */
  readonly comm: string;
}

type ActWord = "mute" | "unmute" | "recover" | "forget" | "log_level" | "reload";

/** An act that was done or refused. */
export interface Act {
  readonly observerNs: number;
  readonly act: ActWord;
  /** Agent, pattern or member; "" = the daemon itself. */
  readonly target: string;
  /** Pid of the member that it is about; NaN = it is about no single one. */
  readonly pid: number;
  readonly byUid: number;
  readonly byPid: number;
  readonly by: string;
  /** What was done, or why it was refused: "for 30m0s: deploy 4.3". */
  readonly detail: string;
  readonly isRefused: boolean;
}

/** A mute begins or ends. */
export interface MuteEvent {
  readonly observerNs: number;
  /** Agent, pattern or member. */
  readonly target: string;
  readonly phase: "begin" | "end";
  readonly reason: string;
  /** From its begin to its planned end. */
  readonly forNs: number;
  /** How it ended; "" = it begins. */
  readonly how: "" | "expired" | "unmuted";
  readonly byUid: number;
  readonly byPid: number;
  readonly by: string;
}
