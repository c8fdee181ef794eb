// The clocks of the daemon step, as by a suspended machine or somebody who sets the time. They are
// those of the daemon alone (test/support/shifted_clocks.ts): those of the machine are never set,
// and a time namespace does not hold the wall clock.
import { NO_SHIFT, ShiftedClocks } from "../../support/shifted_clocks.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { AGENTS as AGENTS_KEPT, Kept, NO_KEEPER, refusable, restart } from "../kept.ts";
import { type FaultRow, LONG_QUEUE, NO_NAMESPACE } from "../row.ts";
import { Scene, type SceneOptions } from "../scene.ts";

const AGENTS = 30;
const INTERVAL_MS = 100;
const LOAD = `${AGENTS} x 10 Hz, queue ${LONG_QUEUE}`;
const RESTART_LOAD = `${AGENTS_KEPT} x 10 Hz, queue ${LONG_QUEUE}`;
const HOUR_S = 3_600;
const YEAR_2100_S = 4_102_444_800;
const STEP_MS = 1_200;
/** What a suspend takes by the clocks that stand still in it. */
const ASLEEP_MS = 300;
/** Agents wake so long after the daemon, which judges before it can have heard them. */
const WOKEN_LATER_MS = 100;
const SLEEP_IS_SILENCE =
  'with clock_source = "boottime" a sleep is silence (spec 04 section 8): all are told';

export const clockRows: readonly FaultRow[] = [
  {
    name: "wall-clock-steps",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_SHIFT,
    run: async () => {
      await using stack = new AsyncDisposableStack();
      const { scene, clocks } = await begin(stack);
      const nowS = Math.floor(Date.now() / 1_000);
      const steps = [HOUR_S, -HOUR_S, -nowS, YEAR_2100_S - nowS, 0];
      for (const realtimeS of steps) {
        clocks.shift({ realtimeS });
        if (realtimeS === -HOUR_S) scene.lost(await scene.lose(), "after a step back");
        await Bun.sleep(STEP_MS);
      }
      return await scene.judge(steps.length);
    },
  },
  {
    name: "suspend",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_SHIFT,
    run: async () => {
      await using stack = new AsyncDisposableStack();
      const { scene, clocks } = await begin(stack);
      await suspend(scene, clocks);
      return await scene.judge(1);
    },
  },
  {
    name: "suspend-while-down",
    load: RESTART_LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_SHIFT ?? NO_KEEPER,
    run: async () => {
      using directory = new TemporaryDirectory();
      using clocks = new ShiftedClocks(directory.at("clocks"));
      await using kept = await Kept.begin({ clocks });
      const between = () => clocks.shift({ realtimeS: HOUR_S, boottimeS: HOUR_S });
      const awayMs = await restart(kept.scene, { when: "while all was suspended", between });
      return refusable(await kept.scene.judge(1), awayMs);
    },
  },
  {
    name: "suspend-boottime",
    load: LOAD,
    isQuick: false,
    whyNot: NO_NAMESPACE ?? NO_SHIFT,
    // The other two are to be told.
    bounds: () => {
      const told = { max: AGENTS - 2, because: SLEEP_IS_SILENCE };
      return { falseStalls: told, falseRecoveries: told };
    },
    run: async () => {
      await using stack = new AsyncDisposableStack();
      const { scene, clocks } = await begin(stack, { observer: 'clock_source = "boottime"' });
      await suspend(scene, clocks);
      return await scene.judge(1);
    },
  },
];

async function begin(stack: AsyncDisposableStack, options: Partial<SceneOptions> = {}) {
  const directory = stack.use(new TemporaryDirectory());
  const clocks = stack.use(new ShiftedClocks(directory.at("clocks")));
  const load = { agents: AGENTS, intervalMs: INTERVAL_MS, queue: LONG_QUEUE };
  const scene = stack.use(await Scene.begin({ ...load, clocks, ...options }));
  return { scene, clocks };
}

/** All stands still, and an hour passes by the clocks that go on in a sleep. */
async function suspend(scene: Scene, clocks: ShiftedClocks): Promise<void> {
  for (const pid of scene.pids) process.kill(pid, "SIGSTOP");
  scene.daemon.signal("SIGSTOP");
  const lost = await scene.lose();
  await Bun.sleep(ASLEEP_MS);
  clocks.shift({ realtimeS: HOUR_S, boottimeS: HOUR_S });
  const heardFromMs = Date.now();
  scene.daemon.signal("SIGCONT");
  await Bun.sleep(WOKEN_LATER_MS);
  for (const pid of scene.pids) process.kill(pid, "SIGCONT");
  scene.lost(lost, "while all was suspended", heardFromMs);
}
