// The machine, or somebody on it, keeps the daemon from its work: burners, floods, a scraper and a
// reader of its log that are stuck. One agent dies meanwhile and one is frozen: both are told, and
// nobody else is.
import { Flood, type FloodOptions } from "../../support/flood.ts";
import { FullPipe } from "../../support/full_pipe.ts";
import { HttpLoad } from "../../support/http_load.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { type FaultRow, LONG_QUEUE, NO_NAMESPACE } from "../row.ts";
import { Scene } from "../scene.ts";

const AGENTS = 30;
const INTERVAL_MS = 100;
const BURNERS = 4;
const LOAD_MS = 12_000;
const LOAD_MS_QUICK = 5_000;
const FLOODED = "a flood fills the queue, and its sender finds a place as soon as an agent does";
const LONG_QUEUES = `${AGENTS} x 10 Hz, queue ${LONG_QUEUE}`;

export const loadRows: readonly FaultRow[] = [
  {
    name: "starvation",
    isAlone: true,
    load: `${LONG_QUEUES}, ${BURNERS} burners`,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    run: async (isQuick) => {
      await using scene = await begin();
      await using burners = new AsyncDisposableStack();
      for (let count = 0; count < BURNERS; count++) burners.use(burner());
      return await judgeLoad(scene, isQuick, "while the processors were taken");
    },
  },
  flood("flood-of-rubbish", { content: "random", size: 32 }),
  flood("flood-of-good-frames", { content: "beats", size: 32 }),
  {
    name: "blocked-stderr",
    load: `${LONG_QUEUES}`,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    run: async (isQuick) => {
      using directory = new TemporaryDirectory();
      using pipe = new FullPipe(directory.at("pipe"));
      await using scene = await begin(["sh", "-c", `exec "$@" 2<>"${pipe.path}"`, "sh"]);
      return await judgeLoad(scene, isQuick, "while nobody read the log");
    },
  },
  {
    name: "stuck-scraper",
    load: `${AGENTS} x 10 Hz`,
    isQuick: true,
    run: async (isQuick) => {
      const options = { agents: AGENTS, intervalMs: INTERVAL_MS, metrics: true };
      await using scene = await Scene.begin(options);
      await using clients = new AsyncDisposableStack();
      for (const mode of ["loris", "idle"] as const)
        clients.use(new HttpLoad(mode, scene.daemon.metricsPort));
      scene.beforeCounting(() => clients.disposeAsync());
      return await judgeLoad(scene, isQuick, "while scrapers were stuck");
    },
  },
];

function begin(as: readonly string[] = []): Promise<Scene> {
  return Scene.begin({ agents: AGENTS, intervalMs: INTERVAL_MS, queue: LONG_QUEUE, as });
}

function flood(name: string, what: Pick<FloodOptions, "content" | "size">): FaultRow {
  return {
    name,
    isAlone: true,
    load: `${LONG_QUEUES}, line rate`,
    isQuick: true,
    whyNot: NO_NAMESPACE,
    run: async (isQuick) => {
      await using scene = await begin();
      await using running = new Flood({ ...what, to: { socket: scene.daemon.socket } });
      scene.beforeCounting(async () => {
        await running.end();
      });
      const outcome = await judgeLoad(scene, isQuick, "during the flood");
      return { ...outcome, bounds: scene.refusable(FLOODED) };
    },
  };
}

/** Half of the load, a death and a freeze, the other half. */
async function judgeLoad(scene: Scene, isQuick: boolean, when: string) {
  const loadMs = isQuick ? LOAD_MS_QUICK : LOAD_MS;
  await Bun.sleep(loadMs / 2);
  scene.lost(await scene.lose(), when);
  await Bun.sleep(loadMs / 2);
  return await scene.judge(1);
}

function burner(): AsyncDisposable {
  const child = Bun.spawn(["sh", "-c", "while :; do :; done"]);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
