// The daemon ends and another one takes its place, under a service manager that keeps its sockets
// meanwhile: who died or was silent is told once, nobody else is, and no beat is refused.
import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { compile } from "../../../scripts/binary/compile.ts";
import { HOST_NAME, ROOT } from "../../../scripts/binary/target.ts";
import { plainState } from "../../../src/snapshot/decoder.ts";
import { findState } from "../../../src/snapshot/found_state.ts";
import { Xorshift32 } from "../../reference/xorshift.ts";
import { GreetingProgram } from "../../support/greeting_program.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import {
  AGENTS,
  away,
  fullAfter,
  INTERVAL_MS,
  Kept,
  NO_KEEPER,
  refusable,
  refusedIn,
  restart,
} from "../kept.ts";
import { until } from "../../support/until.ts";
import { type FaultRow, LONG_QUEUE, NO_NAMESPACE, NO_TIME_NAMESPACE } from "../row.ts";
import { type Lost, Scene, type Silenced, THRESHOLD_MS } from "../scene.ts";
import type { Bounds, Outcome } from "../table.ts";

const FEW_AGENTS = 30;
/** Members that said hello or goodbye. */
const GREETED = 10;
const LOAD = `${AGENTS} x 10 Hz, queue ${LONG_QUEUE}`;
const FEW = `${FEW_AGENTS} x 10 Hz, queue ${LONG_QUEUE}`;
/** The state is written every two seconds at most. */
const STATE_WRITTEN_MS = 2_500;
/** As after a suspend of an hour. */
const SUSPENDED_S = 3_600;
const SEED = 0x5eed;
const KILLS = 200;
const KILLS_QUICK = 10;
const LIFE_MS_MAX = 300;
/** What a daemon told since it wrote its state last, it may tell again after a kill (spec 18). */
const STATE_EVERY_MS = 2_000;
/** Beats of the 100 ms that the export waits, and of as long again for the write. */
const UNWRITTEN_PER_KILL = (2 * FEW_AGENTS * 100) / INTERVAL_MS;
const UNWRITTEN = "a line waits 100 ms for others before it is written (spec 09 section 4)";
/** One agent dies in so many rounds, and another one comes. */
const ROUNDS_PER_DEATH = 5;
/** The socket is kept, and no connection is. */
const ONCE_CUT = {
  max: AGENTS,
  because: "each agent finds its connection closed once, and its next beat goes by another one",
};
/** What a machine without systemd does to agents in a restart: nobody has the socket meanwhile. */
const ALONE = "without a service manager nobody keeps the socket: it refuses until the next start";

const ANOTHER_NAMESPACE =
  "start times cannot be compared across time namespaces: it begins anew, and says so";

export const restartRows: readonly FaultRow[] = [
  {
    name: "restart",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: async () => {
      await using kept = await Kept.begin();
      const awayMs = await restart(kept.scene, { when: "during the restart" });
      return refusable(await kept.scene.judge(1), awayMs);
    },
  },
  {
    name: "upgrade",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: async () => {
      using directory = new TemporaryDirectory();
      const program = directory.at("varta-watch");
      const unpacked = directory.at("varta-watch.dpkg-new");
      copyFileSync(PROGRAM[0]!, program);
      await build(unpacked, "99.0.0");
      await using kept = await Kept.begin({ program });
      const between = () => renameSync(unpacked, program);
      const awayMs = await restart(kept.scene, { when: "during the upgrade", between });
      return refusable(await kept.scene.judge(1), awayMs);
    },
  },
  {
    name: "restart-streams",
    load: `${AGENTS} streams x 10 Hz`,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: async () => {
      await using kept = await Kept.begin({ door: "unix-stream" });
      const awayMs = await restart(kept.scene, { when: "during the restart" });
      const outcome = await kept.scene.judge(1);
      const { lostRows } = refusable(outcome, awayMs).bounds!;
      return { ...outcome, bounds: { lostRows: lostRows!, failedBeats: ONCE_CUT } };
    },
  },
  {
    // Messages of sd_notify(3) have no number: those that were taken are counted.
    name: "restart-notify",
    load: `${AGENTS} by sd_notify x 10 Hz`,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: async () => {
      await using kept = await Kept.begin({ door: "notify" });
      const awayMs = await restart(kept.scene, { when: "during the restart" });
      return refusable(await kept.scene.judge(1), awayMs);
    },
  },
  {
    name: "restart-greeted",
    load: `${FEW}, ${GREETED} greeted`,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: restartGreeted,
  },
  {
    name: "restart-alone",
    load: FEW,
    isQuick: false,
    whyNot: NO_NAMESPACE,
    run: async () => {
      const load = { agents: FEW_AGENTS, intervalMs: INTERVAL_MS, queue: LONG_QUEUE };
      await using scene = await Scene.begin(load);
      const awayMs = await restart(scene, { when: "during the restart" });
      return { ...(await scene.judge(1)), bounds: refusedAlone(awayMs) };
    },
  },
  {
    name: "kill-9",
    load: FEW,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: (isQuick) => killAgainAndAgain(isQuick ? KILLS_QUICK : KILLS),
  },
  {
    name: "suspend-restart",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER ?? NO_TIME_NAMESPACE,
    run: async () => {
      await using kept = await Kept.begin();
      const { scene } = kept;
      const as = [Bun.which("unshare")!, "-T", "--boottime", `${SUSPENDED_S}`];
      const awayMs = await restart(scene, { when: "during the restart", as });
      const outcome = refusable(await scene.judge(1), awayMs);
      if (!saysAnotherNamespace(scene)) return outcome;
      const missedStalls = { max: 2, because: ANOTHER_NAMESPACE };
      return { ...outcome, bounds: { ...outcome.bounds, missedStalls } };
    },
  },
  {
    name: "removed-state",
    load: LOAD,
    isQuick: true,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    // Nothing else knows who was there.
    bounds: () => ({
      missedStalls: { max: 2, because: "with its state a daemon loses who was there" },
    }),
    run: async () => {
      await using kept = await Kept.begin();
      const { scene } = kept;
      const between = () => removeState(scene);
      const awayMs = await restart(scene, { when: "before a start without its state", between });
      return refusable(await scene.judge(1), awayMs);
    },
  },
  {
    name: "self-watchdog",
    load: FEW,
    isQuick: false,
    whyNot: NO_NAMESPACE ?? NO_KEEPER,
    run: async () => {
      const config = '[liveness]\nself_watchdog = "1s"\n';
      await using kept = await Kept.begin({ agents: FEW_AGENTS, config });
      const { scene } = kept;
      // Who came after the last write would be forgotten.
      await Bun.sleep(STATE_WRITTEN_MS);
      let lost!: Lost;
      const awayMs = await away(scene, async () => {
        scene.daemon.signal("SIGSTOP");
        lost = await scene.lose();
        await Bun.sleep(3 * THRESHOLD_MS);
        scene.daemon.signal("SIGCONT");
        await scene.daemon.exited();
        if (scene.daemon.signalCode !== "SIGALRM")
          throw new Error(`a stop of 3 s under self_watchdog = "1s" did not end it by SIGALRM`);
        await scene.start();
      });
      scene.lost(lost, "during the stop that ended the daemon", Date.now());
      const outcome = refusable(await scene.judge(1), awayMs, FEW_AGENTS);
      // And what the dead one sent.
      const max = UNWRITTEN_PER_KILL + Math.ceil(awayMs / INTERVAL_MS);
      const lostRows = { max, because: UNWRITTEN };
      return { ...outcome, bounds: { ...outcome.bounds, lostRows } };
    },
  },
];

/**
 * Beside agents that beat, half of GREETED said hello alone and the others goodbye: none of them is
 * silent, and who ends after a goodbye while nobody watches has ended on purpose, with any status.
 */
async function restartGreeted(): Promise<Outcome> {
  await using kept = await Kept.begin({ agents: FEW_AGENTS });
  const { scene } = kept;
  await using stack = new AsyncDisposableStack();
  const greeted = Array.from({ length: GREETED }, () =>
    stack.use(new GreetingProgram(scene.daemon.socket)),
  );
  const leaving = greeted.splice(0, GREETED / 2);
  for (const each of greeted) await each.hello("", INTERVAL_MS);
  for (const each of leaving) await each.beat();
  for (const each of leaving) await each.bye();
  await until("all of them to be known", () => saidIn(scene) === GREETED);
  let ended = Promise.resolve();
  const between = (): void => {
    ended = leaving[0]!.exit(1);
  };
  const awayMs = await restart(scene, { when: "during the restart", between });
  await ended;
  // No exit status of theirs is news; and they hold descriptors of the daemon as long as they live.
  scene.beforeCounting(async () => {
    for (const each of greeted) await each.exit(0);
    for (const each of leaving.slice(1)) await each.exit(1);
  });
  return refusable(await scene.judge(1), awayMs, FEW_AGENTS);
}

/** What agents may be refused while one daemon after the other takes nothing. */
class FullQueue {
  refused = 0;
  #fromMs = performance.now();

  /** A daemon took beats. */
  emptied(): void {
    this.refused += refusedIn(performance.now() - this.#fromMs, FEW_AGENTS);
    this.#fromMs = performance.now();
  }
}

/** Wall-clock times in which no daemon was there: nothing is told in them, and nothing written. */
class Unwatched {
  readonly #spans: [fromMs: number, toMs: number][] = [];

  /** No daemon was there since `fromMs`. */
  since(fromMs: number): void {
    this.#spans.push([fromMs, Date.now()]);
  }

  readonly alive = (fromMs: number, toMs: number): number => {
    const within = this.#spans.map(([awayMs, backMs]) =>
      Math.max(0, Math.min(toMs, backMs) - Math.max(fromMs, awayMs)),
    );
    return toMs - fromMs - within.reduce((sum, ms) => sum + ms, 0);
  };
}

async function killAgainAndAgain(kills: number): Promise<Outcome> {
  await using kept = await Kept.begin({ agents: FEW_AGENTS });
  const { scene } = kept;
  const random = new Xorshift32(SEED);
  const deaths: [round: number, death: Silenced][] = [];
  const full = new FullQueue();
  const unwatched = new Unwatched();
  let unwritten = 0;
  // Who dies before it is in the state was known to one daemon alone.
  await until("the state to have all", () => membersOf(scene) === FEW_AGENTS);
  for (let round = 0; round < kills; round++) {
    const taken = scene.beatsTaken;
    await Bun.sleep(random.below(LIFE_MS_MAX));
    if (scene.beatsTaken > taken) full.emptied();
    const fromMs = performance.now();
    const killedMs = Date.now();
    scene.daemon.signal("SIGKILL");
    await scene.daemon.exited();
    const isDeath = round % ROUNDS_PER_DEATH === 0;
    if (isDeath) deaths.push([round, await scene.kill()]);
    await scene.start();
    unwatched.since(killedMs);
    // What waited is taken at once, and may be what the next kill takes away.
    const waiting = (FEW_AGENTS * (performance.now() - fromMs)) / INTERVAL_MS;
    unwritten += UNWRITTEN_PER_KILL + Math.min(LONG_QUEUE, Math.ceil(waiting));
    if (isDeath) await scene.hire(1);
  }
  full.emptied();
  const { refused } = full;
  // Lives that are shorter than a threshold judge nobody.
  const heardFromMs = Date.now();
  for (const [round, death] of deaths) scene.died(death, `killed in round ${round}`, heardFromMs);
  const outcome = await scene.judge(kills, STATE_EVERY_MS, unwatched.alive);
  const lostRows = { max: unwritten, because: UNWRITTEN };
  const failedBeats = { max: refused, because: fullAfter(FEW_AGENTS) };
  return { ...outcome, bounds: { lostRows, ...(refused > 0 && { failedBeats }) } };
}

/** Whose beats were refused, or stood in the queue of a socket that went. */
function refusedAlone(awayMs: number): Bounds {
  const bound = { max: Math.ceil((FEW_AGENTS * awayMs) / INTERVAL_MS), because: ALONE };
  return { failedBeats: bound, lostRows: bound };
}

function statesOf({ directory }: Scene): string[] {
  const paths = ["state/state", "varta.sock.state"].map((name) => directory.at(name));
  return paths.filter((path) => existsSync(path));
}

function membersOf(scene: Scene): number {
  return statesOf(scene).reduce((sum, path) => {
    const found = findState(path, process.geteuid!());
    return sum + (found.kind === "state" ? found.state.member.length : 0);
  }, 0);
}

/** Of which the state says that they owe no beats. */
function saidIn(scene: Scene): number {
  return statesOf(scene).reduce((sum, path) => {
    const found = findState(path, process.geteuid!());
    if (found.kind !== "state") return sum;
    const { member } = plainState(found.state);
    return sum + member.filter((one) => one.isUnbeaten || !Number.isNaN(one.goodbyeNs)).length;
  }, 0);
}

function removeState(scene: Scene): void {
  const there = statesOf(scene);
  if (there.length === 0) throw new Error("this daemon has written no state");
  for (const path of there) rmSync(path);
}

function saysAnotherNamespace(scene: Scene): boolean {
  return /time[ _]namespace/.test(scene.daemon.stderr);
}

/** This checkout as another version of itself. */
async function build(outFile: string, version: string): Promise<void> {
  await compile({
    root: ROOT,
    targetName: HOST_NAME,
    runtime: process.execPath,
    version,
    commit: "next",
    outFile,
  });
}
