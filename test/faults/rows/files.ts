// Files and disks under the daemon: its socket is removed, its disk is full or slow, its
// configuration is replaced again and again. One agent dies meanwhile and one is frozen: both are
// told, and nobody else is.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { sampleAt } from "../../metrics/page.ts";
import { CannotMake, type FaultRow, LONG_QUEUE, NO_NAMESPACE, NO_TMPFS } from "../row.ts";
import { NO_THROTTLE, Throttle } from "../throttle.ts";
import { Scene, type SceneOptions, THRESHOLD_MS } from "../scene.ts";

const AGENTS = 30;
const INTERVAL_MS = 100;
/** The daemon looks for its socket so often (spec 12 section 1). */
const LOOK_MS = 1_000;
const LOAD = `${AGENTS} x 10 Hz, queue ${LONG_QUEUE}`;
const RELOADS = 50;
const RELOADS_QUICK = 10;
const ROUNDS = 3;
const DISK_BYTES = 4 << 20;

export const fileRows: readonly FaultRow[] = [
  {
    name: "removed-socket",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    bounds: () => ({
      leakedDescriptors: {
        max: 1,
        because:
          "the old socket is read for a minute, for agents that are connected to it (spec 05)",
      },
      failedBeats: {
        max: (AGENTS * 2 * LOOK_MS) / INTERVAL_MS,
        because: "the daemon looks for its socket once a second, and agents send by path",
      },
    }),
    run: async () => {
      await using scene = await begin({ queue: LONG_QUEUE });
      rmSync(scene.daemon.socket);
      scene.lost(await scene.lose(), "while the socket was away");
      return await scene.judge(1);
    },
  },
  {
    name: "reload",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    run: async (isQuick) => {
      await using scene = await begin({ queue: LONG_QUEUE });
      const reloads = isQuick ? RELOADS_QUICK : RELOADS;
      for (let count = 0; count < reloads; count++) {
        if (count === reloads / 2) scene.lost(await scene.lose(), "between two reloads");
        const text = scene.configuration(`budget = ${count + 1}\nverify_within = "5s"\n`);
        writeFileSync(scene.directory.at("next"), text);
        renameSync(scene.directory.at("next"), scene.directory.at("varta.toml"));
        scene.daemon.signal("SIGHUP");
        await scene.daemon.untilSays("reloaded", count + 1);
      }
      return await scene.judge(reloads);
    },
  },
  {
    name: "full-disk",
    load: `${AGENTS} x 10 Hz, tmpfs`,
    isQuick: true,
    whyNot: NO_TMPFS,
    run: async () => {
      using disk = new SmallDisk();
      await using scene = await begin({ metrics: true, filesIn: disk.path });
      const filling = join(scene.files, "filling");
      fill(filling);
      scene.lost(await scene.lose(), "while the disk was full");
      await Bun.sleep(3 * THRESHOLD_MS);
      rmSync(filling);
      return await scene.judge(1);
    },
  },
  {
    name: "slow-disk",
    load: `${AGENTS} x 10 Hz, slow disk`,
    isQuick: true,
    whyNot: NO_THROTTLE,
    run: async () => {
      await using scene = await begin({ metrics: true });
      await using throttle = new Throttle(scene.daemon.pid);
      scene.beforeCounting(() => throttle[Symbol.asyncDispose]());
      for (let count = 0; count < ROUNDS; count++) {
        scene.lost(await scene.lose(), "while the disk was slow");
        await Bun.sleep(THRESHOLD_MS);
      }
      const outcome = await scene.judge(1);
      if (sampleAt(scene.lastPage, "varta_audit_fsync_budget_exceeded_total") === 0)
        throw new CannotMake("the control group did not make the disk slow");
      return outcome;
    },
  },
];

function begin(options: Partial<SceneOptions>): Promise<Scene> {
  return Scene.begin({ agents: AGENTS, intervalMs: INTERVAL_MS, ...options });
}

/** A small disk of its own. */
class SmallDisk implements Disposable {
  readonly #directory = new TemporaryDirectory();
  /** Of a harness that is interrupted nothing may stay mounted. */
  readonly #unmount = () => void spawnSync("umount", ["-l", this.path]);

  constructor() {
    const options = `size=${DISK_BYTES},mode=0700`;
    const words = ["-t", "tmpfs", "-o", options, "varta-faults", this.path];
    if (spawnSync("mount", words).status !== 0) throw new Error("a tmpfs cannot be mounted");
    process.once("exit", this.#unmount);
  }

  get path(): string {
    return this.#directory.path;
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#unmount);
    this.#unmount();
    this.#directory[Symbol.dispose]();
  }
}

function fill(path: string): void {
  const fd = openSync(path, "w");
  try {
    const piece = new Uint8Array(4_096);
    for (;;) writeSync(fd, piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
}
