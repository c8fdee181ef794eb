// A scene whose sockets a service manager keeps while no daemon runs, as systemd does.
import { FdKeeper, HAS_PYTHON } from "../support/fd_keeper.ts";
import { LONG_QUEUE, UNKNOWN_DEAD } from "./row.ts";
import { type Lost, Scene, type SceneOptions, THRESHOLD_MS } from "./scene.ts";
import type { Outcome } from "./table.ts";

export const NO_KEEPER: string | undefined = HAS_PYTHON
  ? undefined
  : "a service manager that keeps sockets needs python3";

/** The queue holds what they send in half a second. */
export const AGENTS = 100;
export const INTERVAL_MS = 100;

/** A scene whose sockets are kept by a service manager. */
export class Kept implements AsyncDisposable {
  readonly scene: Scene;
  readonly #keeper: FdKeeper;

  static async begin(options: Partial<SceneOptions> = {}): Promise<Kept> {
    const keeper = await FdKeeper.start();
    try {
      const scene = await Scene.begin({
        agents: AGENTS,
        intervalMs: INTERVAL_MS,
        queue: LONG_QUEUE,
        as: keeper.launcher(),
        env: keeper.env,
        ...options,
      });
      await keeper.untilKept((options.door ?? "unix") === "unix" ? 2 : 3);
      return new Kept(scene, keeper);
    } catch (error) {
      keeper[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(scene: Scene, keeper: FdKeeper) {
    this.scene = scene;
    this.#keeper = keeper;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
    this.#keeper[Symbol.dispose]();
  }
}

export interface Restart {
  /** For people: "during the restart". */
  readonly when: string;
  /** While no daemon runs. */
  readonly between?: () => void;
  /** A program that becomes the next daemon. */
  readonly as?: readonly string[];
}

/** One daemon ends in order, two agents are lost, and another daemon begins. */
export async function restart(scene: Scene, { when, between, as }: Restart): Promise<number> {
  let lost!: Lost;
  const awayMs = await away(scene, async () => {
    await scene.daemon.stop();
    lost = await scene.lose();
    between?.();
    await scene.start(as);
  });
  scene.lost(lost, when, Date.now());
  return awayMs;
}

/** For how long nobody received, in ms. */
export async function away(scene: Scene, exchange: () => Promise<void>): Promise<number> {
  const fromMs = performance.now();
  await exchange();
  const awayMs = performance.now() - fromMs;
  scene.note(`nobody received for ${Math.round(awayMs)} ms`);
  return awayMs;
}

/**
 * What may be refused while nobody receives for `awayMs`: within half a second nothing, after that
 * the queue is full, and is so for a moment longer. And one that died meanwhile may have sent.
 */
export function refusable(outcome: Outcome, awayMs: number, agents = AGENTS): Outcome {
  const lost = { max: Math.ceil(awayMs / INTERVAL_MS) + 1, because: UNKNOWN_DEAD };
  const max = refusedIn(awayMs, agents);
  const full = { max, because: fullAfter(agents) };
  return { ...outcome, bounds: { lostRows: lost, ...(max > 0 && { failedBeats: full }) } };
}

/** How many of `agents` may be refused while nobody receives for `awayMs`. */
export function refusedIn(awayMs: number, agents: number): number {
  const waiting = (agents * awayMs) / INTERVAL_MS;
  if (waiting <= LONG_QUEUE) return 0;
  return Math.ceil(waiting) - LONG_QUEUE + (agents * THRESHOLD_MS) / INTERVAL_MS;
}

export function fullAfter(agents: number): string {
  const ms = Math.floor((LONG_QUEUE * INTERVAL_MS) / agents);
  return `a queue of ${LONG_QUEUE} is full after ${ms} ms without a daemon`;
}
