// The daemon stands still, alone or with everything that it watches, and one agent dies meanwhile:
// it is told, and nobody else is.
import { Freezer, NO_FREEZER } from "../freezer.ts";
import { type FaultRow, LONG_QUEUE, NO_NAMESPACE, SHORT_QUEUE } from "../row.ts";
import { Scene, THRESHOLD_MS } from "../scene.ts";

/** So many that after a stop a queue of 10 is full again and again. */
const AGENTS = 200;
const INTERVAL_MS = 200;
const STOP_MS = 4_000;

export const stopRows: readonly FaultRow[] = [
  ...[1, 3, 10].flatMap((thresholds) =>
    [SHORT_QUEUE, LONG_QUEUE].map((queue) => stopOfDaemon(thresholds, queue)),
  ),
  {
    name: "stop-everything",
    load: `${AGENTS} x 5 Hz, queue ${LONG_QUEUE}`,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    run: async () => {
      await using scene = await begin(LONG_QUEUE);
      for (const pid of scene.pids) process.kill(pid, "SIGSTOP");
      scene.daemon.signal("SIGSTOP");
      const death = await scene.kill();
      await Bun.sleep(STOP_MS);
      // The daemon first: a thaw wakes in any order.
      const heardFromMs = Date.now();
      scene.daemon.signal("SIGCONT");
      for (const pid of scene.pids) process.kill(pid, "SIGCONT");
      scene.died(death, "killed while all stood still", heardFromMs);
      return await scene.judge(1);
    },
  },
  frozen("freezer-daemon", false),
  frozen("freezer-everything", true),
];

function begin(queue: number): Promise<Scene> {
  return Scene.begin({ agents: AGENTS, intervalMs: INTERVAL_MS, queue });
}

function stopOfDaemon(thresholds: number, queue: number): FaultRow {
  return {
    name: `stop-${thresholds}-queue-${queue}`,
    load: `${AGENTS} x 5 Hz, queue ${queue}`,
    isQuick: thresholds === 3,
    whyNot: NO_NAMESPACE,
    run: async () => {
      await using scene = await begin(queue);
      scene.daemon.signal("SIGSTOP");
      const death = await scene.kill();
      await Bun.sleep(thresholds * THRESHOLD_MS);
      const heardFromMs = Date.now();
      scene.daemon.signal("SIGCONT");
      scene.died(death, "killed during the stop", heardFromMs);
      return await scene.judge(1);
    },
  };
}

function frozen(name: string, withAgents: boolean): FaultRow {
  return {
    name,
    load: `${AGENTS} x 5 Hz, queue ${LONG_QUEUE}`,
    isQuick: withAgents,
    whyNot: NO_FREEZER ?? NO_NAMESPACE,
    run: async () => {
      await using scene = await begin(LONG_QUEUE);
      await using freezer = new Freezer();
      freezer.add(scene.daemon.pid);
      if (withAgents) for (const pid of scene.pids) freezer.add(pid);
      await freezer.freeze();
      await Bun.sleep(STOP_MS / 2);
      // In a frozen group of the first version a process dies only when it is thawed.
      const death = scene.kill();
      await Bun.sleep(STOP_MS / 2);
      const heardFromMs = Date.now();
      await freezer.thaw();
      scene.died(await death, "killed during the freeze", heardFromMs);
      return await scene.judge(1);
    },
  };
}
