// The daemon stands still, alone or with everything that it watches. One agent dies meanwhile and
// one is frozen for good: both are told, and nobody else is.
import { Freezer, NO_FREEZER } from "../freezer.ts";
import { type FaultRow, LONG_QUEUE, NO_NAMESPACE, SHORT_QUEUE, UNKNOWN_DEAD } from "../row.ts";
import { Scene, THRESHOLD_MS } from "../scene.ts";
import type { Bounds } from "../table.ts";

/** So many that after a stop a queue of 10 is full again and again. */
const AGENTS = 200;
const INTERVAL_MS = 200;
const STOP_MS = 4_000;
/** One of a hundred, with a queue that is full again and again. */
const REFUSED_MAX = AGENTS / 100;
const REFUSED =
  "a queue of 10 may refuse one of 200 agents five times in a row, which is a threshold of silence";
const ALWAYS_FULL = "a queue of 10 is full whenever the daemon waits for a processor";

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
      const lost = await scene.lose();
      await Bun.sleep(STOP_MS);
      // The daemon first: a thaw wakes in any order.
      const heardFromMs = Date.now();
      scene.daemon.signal("SIGCONT");
      for (const pid of scene.pids) process.kill(pid, "SIGCONT");
      scene.lost(lost, "while all stood still", heardFromMs);
      return await scene.judge(1);
    },
  },
  {
    name: "freezer-daemon",
    load: `${AGENTS} x 5 Hz, queue ${LONG_QUEUE}`,
    isQuick: false,
    whyNot: NO_FREEZER ?? NO_NAMESPACE,
    run: async () => {
      await using scene = await begin(LONG_QUEUE);
      await using freezer = new Freezer();
      freezer.add(scene.daemon.pid, "daemon");
      const fromMs = Date.now();
      await freezer.freeze();
      await Bun.sleep(STOP_MS / 2);
      const lost = await scene.lose();
      const diedMs = Date.now();
      await Bun.sleep(STOP_MS / 2);
      const heardFromMs = Date.now();
      await freezer.thaw();
      scene.lost(lost, "during the freeze", heardFromMs);
      const bounds = unheard(LONG_QUEUE, Date.now() - fromMs, diedMs - fromMs);
      return { ...(await scene.judge(1)), bounds };
    },
  },
  {
    // A slice with two services in it, as a suspended container or virtual machine is.
    name: "freezer-slice",
    load: `${AGENTS} x 5 Hz, queue ${LONG_QUEUE}`,
    isQuick: true,
    whyNot: NO_FREEZER ?? NO_NAMESPACE,
    run: async () => {
      await using scene = await begin(LONG_QUEUE);
      await using freezer = new Freezer();
      freezer.add(scene.daemon.pid, "daemon");
      for (const pid of scene.pids) freezer.add(pid, "agents");
      await freezer.freeze();
      await Bun.sleep(STOP_MS / 2);
      // In a frozen group of the first version a process dies only when it is thawed.
      const losing = scene.lose();
      await Bun.sleep(STOP_MS / 2);
      const heardFromMs = Date.now();
      await freezer.thaw();
      scene.lost(await losing, "during the freeze", heardFromMs);
      return await scene.judge(1);
    },
  },
];

function begin(queue: number): Promise<Scene> {
  return Scene.begin({ agents: AGENTS, intervalMs: INTERVAL_MS, queue });
}

function stopOfDaemon(thresholds: number, queue: number): FaultRow {
  const isShort = queue === SHORT_QUEUE;
  return {
    name: `stop-${thresholds}-queue-${queue}`,
    load: `${AGENTS} x 5 Hz, queue ${queue}`,
    // On a busy machine an agent may find no place among ten for a whole threshold, and is silent.
    isQuick: thresholds === 3 && !isShort,
    whyNot: NO_NAMESPACE,
    run: async () => {
      await using scene = await begin(queue);
      const fromMs = Date.now();
      scene.daemon.signal("SIGSTOP");
      const lost = await scene.lose();
      const diedMs = Date.now();
      await Bun.sleep(thresholds * THRESHOLD_MS);
      const heardFromMs = Date.now();
      scene.daemon.signal("SIGCONT");
      scene.lost(lost, "during the stop", heardFromMs);
      const bounds = unheard(queue, Date.now() - fromMs, diedMs - fromMs);
      const outcome = await scene.judge(1);
      return { ...outcome, bounds: { ...bounds, ...(isShort && short(scene)) } };
    },
  };
}

/** Whom a queue of ten refuses for a whole threshold is silent for its daemon. */
function short(scene: Scene): Bounds {
  const refused = { max: REFUSED_MAX, because: REFUSED };
  return { falseStalls: refused, falseRecoveries: refused, ...scene.refusable(ALWAYS_FULL) };
}

/**
 * Of all beats of a stop, and of one threshold in which a short queue comes to rest; and of those
 * of who lived on for a while before it died.
 */
function unheard(queue: number, stoppedMs: number, livedMs: number): Bounds {
  const beats = Math.ceil((AGENTS * (stoppedMs + THRESHOLD_MS)) / INTERVAL_MS);
  const because = `nobody reads while the daemon stands still, and the queue holds ${queue}`;
  return {
    failedBeats: { max: Math.max(0, beats - queue), because },
    lostRows: { max: Math.ceil(livedMs / INTERVAL_MS) + 1, because: UNKNOWN_DEAD },
  };
}
