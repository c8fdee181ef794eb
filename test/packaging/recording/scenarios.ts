// The situations that the alert rules about agents are tested with: real agents of a real daemon
// that hang, end, crash and come back. What happens is marked; what has to fire and what must not
// is in alerts_of_agents.slow.ts.
import { existsSync, symlinkSync } from "node:fs";
import { DaemonProcess } from "../../support/daemon_process.ts";
import { type MortalAgent, MortalAgents } from "../../support/mortal_agents.ts";
import { until } from "../../support/until.ts";
import type { Recorder } from "./recorder.ts";

/** A moment in which nothing happens, so that a rule has something to compare with. */
const CALM_SCRAPES = 7;

const STOPPED = "SIGSTOP";
const WOKEN = "SIGCONT";

export interface Scene {
  readonly daemon: DaemonProcess;
  readonly recorder: Recorder;
  /** Starts a member of the agent that the rule of `name` makes; resolves when it has beaten. */
  start(name: string): Promise<MortalAgent>;
  /** Ends the daemon as a crash would, and starts another one in its place later. */
  crashDaemon(): Promise<() => Promise<void>>;
}

export interface Scenario {
  readonly config: string;
  play(scene: Scene): Promise<void>;
}

const uid = process.getuid!();

/** A rule for the agents that are started as `name`, with more keys. */
function rule(name: string, ...keys: readonly string[]): string {
  const match = `match = { comm = "${name}", uid = ${uid} }`;
  return ["[[agent]]", match, `name = "${name}"`, ...keys, ""].join("\n");
}

function plan(name: string, ...keys: readonly string[]): string {
  return ["[[recovery.plan]]", `name = "${name}"`, 'debounce = "0s"', ...keys, ""].join("\n");
}

const THRESHOLD = '[observer]\nthreshold = "1s"\n';

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  /** A worker hangs, and its recovery wakes it. */
  recovered: {
    config: `${THRESHOLD}${rule("worker", 'recovery = "wake"')}${plan("wake", 'step = [{ signal = "SIGCONT" }]')}`,
    async play({ daemon, recorder, start }) {
      const [worker] = await Promise.all([start("worker"), start("worker")]);
      await recorder.scrapes(CALM_SCRAPES);
      worker.kill(STOPPED);
      await daemon.untilSays("agent stalled");
      recorder.mark("stalled");
      await daemon.untilSays("agent is back");
      recorder.mark("back");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** Two hang: of one the recovery fails, and for the other there is none. */
  not_recovered: {
    config: `${THRESHOLD}${rule("exporter", 'recovery = "none"')}${rule("broken", 'recovery = "fail"')}${plan("fail", 'command = ["false"]')}`,
    async play({ daemon, recorder, start }) {
      const agents = await Promise.all([start("exporter"), start("broken")]);
      await recorder.scrapes(CALM_SCRAPES);
      for (const agent of agents) agent.kill(STOPPED);
      await daemon.untilSays("agent stalled", 2);
      recorder.mark("stalled");
      await recorder.scrapes(CALM_SCRAPES);
      for (const agent of agents) agent.kill(WOKEN);
      await daemon.untilSays("agent is back", 2);
      recorder.mark("back");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** One hangs again and again, until its budget is used up. */
  gave_up: {
    config: `${THRESHOLD}${rule("worker", 'recovery = "try"')}${plan("try", 'command = ["true"]', "budget = 1")}`,
    async play({ daemon, recorder, start }) {
      const worker = await start("worker");
      await recorder.scrapes(CALM_SCRAPES);
      worker.kill(STOPPED);
      await daemon.untilStalls(worker.pid, 1);
      recorder.mark("stalled");
      await recorder.scrapes(CALM_SCRAPES);
      worker.kill(WOKEN);
      await daemon.untilSays("agent is back");
      worker.kill(STOPPED);
      await daemon.untilStalls(worker.pid, 2);
      recorder.mark("stalled again");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** Members end cleanly, and are killed and replaced in time. */
  ended_well: {
    config: `${THRESHOLD}${rule("pool", 'threshold = "4s"')}`,
    async play({ daemon, recorder, start }) {
      const [first, second] = await Promise.all([start("pool"), start("pool"), start("pool")]);
      await recorder.scrapes(CALM_SCRAPES);
      await first.exit(0);
      recorder.mark("clean");
      await daemon.untilSays("member gone");
      await recorder.scrapes(CALM_SCRAPES);
      second.kill("SIGKILL");
      await second.exited;
      await start("pool");
      recorder.mark("replaced");
      await daemon.untilSays("member replaced");
      await recorder.scrapes(8);
    },
  },

  /** One crashes, and another one does not come. */
  crashed: {
    config: `${THRESHOLD}${rule("pool")}`,
    async play({ daemon, recorder, start }) {
      const [first] = await Promise.all([start("pool"), start("pool")]);
      await recorder.scrapes(CALM_SCRAPES);
      await first.exit(3);
      await daemon.untilStalls(first.pid);
      recorder.mark("stalled");
      await recorder.scrapes(8);
    },
  },

  /** One crashes five times, and another one comes each time. */
  crash_loop: {
    config: `${THRESHOLD}${rule("pool", 'threshold = "20s"')}`,
    async play({ daemon, recorder, start }) {
      for (let crashes = 1; crashes <= 5; crashes++) {
        const member = await start("pool");
        await recorder.scrapes(2);
        await member.exit(3);
        await daemon.untilSays("member ended", crashes);
        recorder.mark(`crash ${crashes}`);
        await recorder.scrapes(1);
      }
      await start("pool");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** Three are expected: one goes, one that is not expected comes, and the first comes again. */
  missing: {
    config: `${THRESHOLD}${["api", "mailer", "cron"].map((name) => rule(name, "expect = 1")).join("")}${rule("extra")}`,
    async play({ daemon, recorder, start }) {
      const [, mailer] = await Promise.all(["api", "mailer", "cron"].map(start));
      await recorder.scrapes(CALM_SCRAPES);
      await mailer!.exit(0);
      await start("extra");
      recorder.mark("gone");
      const saysMissing = () => daemon.saying("agent missing").length > 0;
      await until("a missing agent", saysMissing, 60_000);
      recorder.mark("missing");
      await recorder.scrapes(CALM_SCRAPES);
      await start("mailer");
      await daemon.untilSays("agent complete");
      recorder.mark("complete");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** One is late again and again, and another one once. */
  late: {
    config: `[observer]\nthreshold = "20s"\n${rule("slow", 'late = "300ms"')}${rule("once", 'late = "300ms"')}`,
    async play({ daemon, recorder, start }) {
      const [slow, once] = await Promise.all([start("slow"), start("once")]);
      await recorder.scrapes(CALM_SCRAPES);
      recorder.mark("late");
      once!.kill(STOPPED);
      await daemon.untilSays("agent late");
      await recorder.scrapes(1);
      once!.kill(WOKEN);
      for (let times = 0; times < 20; times++) {
        slow!.kill(STOPPED);
        await recorder.scrapes(3);
        slow!.kill(WOKEN);
        await recorder.scrapes(1);
      }
      recorder.mark("in time");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** More hang at once than may be recovered. */
  storm: {
    config: `${THRESHOLD}${rule("worker", 'recovery = "try"')}${plan("try", 'command = ["true"]')}\n[recovery]\nstorm_limit = 2\n`,
    async play({ daemon, recorder, start }) {
      const workers = await Promise.all(Array.from({ length: 5 }, () => start("worker")));
      await recorder.scrapes(CALM_SCRAPES);
      for (const worker of workers) worker.kill(STOPPED);
      await daemon.untilSays("agent stalled", 5);
      recorder.mark("stalled");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** The daemon cannot be reached while an agent hangs, which it did before. */
  unreachable: {
    config: `${THRESHOLD}${rule("exporter", 'recovery = "none"')}`,
    async play({ daemon, recorder, start }) {
      const exporter = await start("exporter");
      await recorder.scrapes(CALM_SCRAPES);
      exporter.kill(STOPPED);
      await daemon.untilSays("agent stalled");
      recorder.mark("stalled");
      await recorder.scrapes(CALM_SCRAPES);
      recorder.from(undefined);
      recorder.mark("unreachable");
      await recorder.scrapes(70);
      recorder.from(daemon);
      recorder.mark("reachable");
      await recorder.scrapes(CALM_SCRAPES);
    },
  },

  /** The daemon crashes and comes again; all agents are well. */
  restarted: {
    config: `${THRESHOLD}${rule("worker", 'recovery = "none"')}`,
    async play({ recorder, start, crashDaemon }) {
      await Promise.all([start("worker"), start("worker")]);
      await recorder.scrapes(CALM_SCRAPES);
      const startAgain = await crashDaemon();
      recorder.mark("down");
      await recorder.scrapes(70);
      await startAgain();
      recorder.mark("up");
      await recorder.scrapes(8);
    },
  },
};

/** Plays a scenario from the start of its daemon to its end. */
export async function play({ config, play }: Scenario, recorder: Recorder): Promise<void> {
  const first = await DaemonProcess.start({ config });
  const daemons = [first];
  const agents = new MortalAgents(first.socket);
  const scene: Scene = {
    daemon: first,
    recorder,
    start: (name) => {
      // The kernel calls a process by the file that it was started from.
      const link = first.path(name);
      if (!existsSync(link)) symlinkSync(process.execPath, link);
      return agents.start(link);
    },
    crashDaemon: async () => {
      first.signal("SIGKILL");
      await first.exited();
      return async () => {
        const next = await DaemonProcess.start({ config, directory: first.directory });
        daemons.push(next);
        recorder.from(next);
      };
    },
  };
  try {
    recorder.from(first);
    const running = recorder.run();
    await play(scene);
    recorder.stop();
    await running;
  } finally {
    recorder.stop();
    await agents[Symbol.asyncDispose]();
    for (const daemon of daemons.toReversed()) await daemon[Symbol.asyncDispose]();
  }
}
