// Beats that somebody else times: at an interval while the work is known to go on, or after each
// call of a function.
import { clearInterval, setInterval } from "node:timers";
import type { AgentStatus } from "./agent_status.ts";
import type { BeatResult } from "./beat_result.ts";

/** Whether to beat, or with which status. */
export type IsAlive = () => boolean | AgentStatus | Promise<boolean | AgentStatus>;

export interface Repeat {
  stop(): void;
}

export interface Beating {
  readonly beat: (status?: AgentStatus, payload?: number) => BeatResult;
}

interface RepeatOptions {
  readonly intervalMs: number;
  readonly isAlive: IsAlive;
  readonly complain: (cause: string, text: string) => void;
}

/** Beats at once and each `intervalMs`. It keeps no process alive. */
export function repeatBeat(client: Beating, options: RepeatOptions): Repeat {
  const { intervalMs, isAlive, complain } = options;
  if (!(intervalMs > 0))
    throw new RangeError(
      `Cannot beat at an interval: intervalMs must be above 0: current value is ${intervalMs}`,
    );
  let isAsking = false;
  const tick = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      const alive = await isAlive();
      if (alive !== false) client.beat(alive === true ? "ok" : alive);
    } catch (error) {
      // Not known to be alive is not alive; the beats go on when it answers again.
      complain("is_alive", `isAlive() failed, so no beat was sent: ${String(error)}`);
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(tick, intervalMs);
  timer.unref();
  void tick();
  return { stop: () => clearInterval(timer) };
}

/** `work` with a beat after each call that did not fail. */
export function beatAfter<This, Args extends unknown[], Result>(
  client: Beating,
  work: (this: This, ...args: Args) => Result,
): (this: This, ...args: Args) => Result {
  return function wrapped(this: This, ...args: Args): Result {
    const result = work.apply(this, args);
    if (!isPromiseLike(result)) {
      client.beat();
      return result;
    }
    const beaten = result.then((value) => {
      client.beat();
      return value;
    });
    return beaten as Result;
  };
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
