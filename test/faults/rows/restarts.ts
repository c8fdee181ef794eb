// The daemon ends and another one takes its place: what was dead or silent meanwhile is told once,
// and nobody else is.
import { existsSync, rmSync } from "node:fs";
import { Xorshift32 } from "../../reference/xorshift.ts";
import { type FaultRow, LONG_QUEUE, NO_NAMESPACE, NO_TIME_NAMESPACE } from "../row.ts";
import { Scene, THRESHOLD_MS } from "../scene.ts";

const AGENTS = 30;
const INTERVAL_MS = 100;
const LOAD = `${AGENTS} x 10 Hz, queue ${LONG_QUEUE}`;
/** As after a suspend of an hour. */
const SUSPENDED_S = 3_600;
const SEED = 0x5eed;
const KILLS = 200;
const KILLS_QUICK = 10;
const LIFE_MS_MAX = 300;
/** Beats of the 100 ms that the export waits, and of as long again for the write. */
const UNWRITTEN_PER_KILL = (2 * AGENTS * 100) / INTERVAL_MS;
/** One agent dies in so many rounds, and another one comes. */
const ROUNDS_PER_DEATH = 5;

export const restartRows: readonly FaultRow[] = [
  {
    name: "restart",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    run: async () => {
      await using scene = await begin();
      const frozen = scene.pids.pop()!;
      const frozenMs = Date.now();
      process.kill(frozen, "SIGSTOP");
      await scene.daemon.stop();
      const death = await scene.kill();
      await scene.start();
      const heardFromMs = Date.now();
      scene.died(death, "killed during the restart", heardFromMs);
      const how = "frozen before and after the restart";
      scene.truth.silenced(frozen, frozenMs, { how, heardFromMs, thresholdMs: THRESHOLD_MS });
      const outcome = scene.judge(2);
      // It cannot count its beats while it is frozen.
      await Promise.race([scene.looked, outcome]);
      process.kill(frozen, "SIGCONT");
      return await outcome;
    },
  },
  {
    name: "kill-9",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    bounds: (isQuick) => ({
      lostRows: {
        max: (isQuick ? KILLS_QUICK : KILLS) * UNWRITTEN_PER_KILL,
        because: "a line waits 100 ms for others before it is written (spec 09 section 4)",
      },
    }),
    run: async (isQuick) => {
      await using scene = await begin();
      const random = new Xorshift32(SEED);
      const kills = isQuick ? KILLS_QUICK : KILLS;
      let deaths = 0;
      for (let round = 0; round < kills; round++) {
        await Bun.sleep(random.below(LIFE_MS_MAX));
        scene.daemon.signal("SIGKILL");
        await scene.daemon.exited();
        const isDeath = round % ROUNDS_PER_DEATH === 0;
        const death = isDeath ? await scene.kill() : undefined;
        await scene.start();
        if (death === undefined) continue;
        deaths += 1;
        scene.died(death, `killed in round ${round}`, Date.now());
        await scene.hire(1);
      }
      return await scene.judge(kills + deaths);
    },
  },
  {
    name: "suspend-restart",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_TIME_NAMESPACE,
    run: async () => {
      await using scene = await begin();
      await scene.daemon.stop();
      const death = await scene.kill();
      await scene.start(["unshare", "-T", "--boottime", `${SUSPENDED_S}`]);
      // Start times of processes cannot be compared across time namespaces: what died before is
      // unknown, which is no fault of a daemon that says so.
      const begunAnew = scene.daemon.lines.some(({ msg }) => /time namespace/.test(msg));
      if (!begunAnew) scene.died(death, "killed before the restart", Date.now());
      return await scene.judge(1);
    },
  },
  {
    name: "removed-state",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    // Nothing else knows who was there.
    bounds: () => ({
      missedStalls: { max: 1, because: "with its state a daemon loses who was there" },
    }),
    run: async () => {
      await using scene = await begin();
      await scene.daemon.stop();
      const death = await scene.kill();
      const removed = ["state/state", "varta.sock.state"].filter((name) => {
        const isThere = existsSync(scene.directory.at(name));
        rmSync(scene.directory.at(name), { force: true });
        return isThere;
      });
      if (removed.length === 0) throw new Error("this daemon has written no state");
      await scene.start();
      scene.died(death, "killed before a start without its state", Date.now());
      return await scene.judge(1);
    },
  },
  {
    name: "self-watchdog",
    load: LOAD,
    isQuick: false,
    whyNot: NO_NAMESPACE,
    run: async () => {
      await using scene = await begin('[liveness]\nself_watchdog = "1s"\n');
      scene.daemon.signal("SIGSTOP");
      const death = await scene.kill();
      await Bun.sleep(3 * THRESHOLD_MS);
      scene.daemon.signal("SIGCONT");
      await scene.daemon.exited();
      if (scene.daemon.signalCode !== "SIGALRM")
        throw new Error(`a stop of 3 s under self_watchdog = "1s" did not end it by SIGALRM`);
      await scene.start();
      scene.died(death, "killed during the stop that ended the daemon", Date.now());
      return await scene.judge(1);
    },
  },
];

function begin(config = ""): Promise<Scene> {
  return Scene.begin({ agents: AGENTS, intervalMs: INTERVAL_MS, queue: LONG_QUEUE, config });
}
