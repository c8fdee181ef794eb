// For the unit tests of others: takes the calls of a client, and keeps the beats.
import type { AgentStatus } from "./agent_status.ts";
import { type BeatResult, SENT } from "./beat_result.ts";
import { beatAfter, type Beating, type IsAlive, type Repeat, repeatBeat } from "./repeat.ts";

export class FakeClient implements Beating {
  readonly beats: { status: AgentStatus; payload: number }[] = [];
  readonly crashes: number[] = [];
  isClosed = false;
  /** What beats are told became of them. */
  result: BeatResult = SENT;
  readonly beat = (status: AgentStatus = "ok", payload = 0): BeatResult => {
    this.beats.push({ status, payload });
    return this.result;
  };

  crashBeat(payload = 0): BeatResult {
    this.crashes.push(payload);
    return this.result;
  }

  every(intervalMs: number, isAlive: IsAlive = () => true): Repeat {
    return repeatBeat(this, { intervalMs, isAlive, complain: () => {} });
  }

  wrap<This, Args extends unknown[], Result>(
    work: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result {
    return beatAfter(this, work);
  }

  /** Nothing: the handlers of a test are its own. */
  installCrashBeat(): void {}

  close(): void {
    this.isClosed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
