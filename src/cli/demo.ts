// "varta-watch demo": the product in ten seconds. A real daemon watches four real processes under
// the rules; one is stopped with SIGSTOP, so that it is alive and does nothing;
// the stall, the recovery and the return are shown as they happen.
import { IS_LINUX } from "../../ffi/constants.ts";
import { stdoutHasColour } from "./colour.ts";
import { type AgentRow, DemoScreen, type Mark } from "./demo_screen.ts";
import { DemoStage, type LogLine } from "./demo_stage.ts";
import type { Invocation } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";

const THRESHOLD_MS = 1_000;
const INTERVAL_MS = 50;
/** Three beats of each agent, so that a step without one is a silence and no rounding. */
const STEP_MS = 150;
const AGENT_NAMES = ["api", "worker", "mailer", "cron"] as const;
/** The one that is stopped. */
const VICTIM = 1;
/** When the story must be over, whatever happens; a newcomer waits no longer. */
const STORY_MS_MAX = 13_000;
const CALM_MS = 1_000;
const AFTER_MS = 1_000;

interface Agent {
  readonly name: string;
  readonly pid: number;
  readonly marks: Mark[];
  state: string;
}

/**
 * What ends it early; a terminal that is closed sends SIGHUP. Its processes must not outlive it.
 */
const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

export async function run(_invocation: Invocation): Promise<number> {
  const story = new Story();
  const interrupted = Promise.withResolvers<"interrupted">();
  const interrupt = (): void => interrupted.resolve("interrupted");
  for (const signal of INTERRUPTS) process.once(signal, interrupt);
  try {
    const end = await Promise.race([story.play(), interrupted.promise]);
    if (end === "interrupted") return 130;
    return 0;
  } catch (error) {
    printError(error instanceof Error ? error.message : String(error));
    printHint("run it again; on a machine without time to spare, a process may start too late");
    return 1;
  } finally {
    await story.clear();
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
  }
}

class Story {
  readonly #screen: DemoScreen;
  readonly #stage: DemoStage;
  readonly #startedMs = performance.now();
  readonly #agents: Agent[] = [];
  readonly #log: LogLine[] = [];
  #stoppedAtMs = 0;
  #over = false;

  constructor() {
    const live = process.stdout.isTTY === true && process.env["TERM"] !== "dumb";
    this.#screen = new DemoScreen({ live, colour: stdoutHasColour(), write: print });
    this.#stage = new DemoStage({
      agentNames: AGENT_NAMES,
      thresholdMs: THRESHOLD_MS,
      intervalMs: INTERVAL_MS,
      onLog: (line) => this.#heard(line),
    });
  }

  async play(): Promise<"played"> {
    const screen = this.#screen;
    screen.say(
      `\nFour real processes beat every ${INTERVAL_MS} ms. A process that is silent for ${THRESHOLD_MS} ms is stalled.\n`,
    );
    this.#stage.startDaemon();
    await this.#until("the daemon to listen", () => this.#stage.isListening);
    this.#tell("START", "plain", `varta-watch listens on ${this.#stage.socket}`);
    for (const name of AGENT_NAMES)
      this.#agents.push({ name, pid: this.#stage.startAgent(name), marks: [], state: "starting" });
    await this.#until("all agents to beat", () =>
      this.#agents.every(({ marks }) => marks.includes("beat")),
    );
    this.#tell("BEATS", "good", `${AGENT_NAMES.join(", ")} are beating`);
    await this.#pass(CALM_MS);
    await this.#stopAndWake();
    await this.#pass(AFTER_MS);
    this.#end();
    return "played";
  }

  async clear(): Promise<void> {
    this.#over = true;
    await this.#stage.clear();
  }

  async #stopAndWake(): Promise<void> {
    const victim = this.#victim;
    this.#stoppedAtMs = performance.now();
    this.#stage.stop(victim.pid);
    victim.state = "stopped";
    this.#tell(
      "SIGSTOP",
      "act",
      `${victim.name} is stopped: pid ${victim.pid} still exists, and does nothing`,
    );
    await this.#until("the stall", () => this.#has("agent stalled"));
    if (IS_LINUX) await this.#until("the recovery", () => this.#isRecovered());
    else await this.#wakeByHand(victim);
    await this.#until("the return", () => this.#has("agent is back"));
  }

  // Where the kernel does not name the sender of a beat, no recovery runs for it, and the story
  // says why.
  async #wakeByHand(victim: Agent): Promise<void> {
    await this.#until("the refusal", () => this.#has("recovery refused"));
    const why = `${process.platform} does not name the sender of a beat, so nothing is done to it`;
    this.#tell("REFUSED", "act", `no recovery: ${why}; on Linux, kill -CONT would run now`);
    this.#stage.wake(victim.pid);
    this.#tell("SIGCONT", "act", `${victim.name} is woken by the demonstration itself`);
  }

  #end(): void {
    const stalls = this.#log.filter(({ msg }) => msg === "agent stalled").length;
    this.#draw();
    this.#screen.keep();
    this.#screen.say(
      `\nOne stall, found ${this.#detectionText()}${IS_LINUX ? " and recovered" : ""}; ${this.#others()} never stalled.` +
        `\nYour own processes are next: "varta-watch help" and docs/client.md show how they beat.`,
    );
    if (stalls !== 1) throw new Error(`Expected one stall in the demonstration, found ${stalls}`);
  }

  #detectionText(): string {
    const stall = this.#log.find(({ msg }) => msg === "agent stalled");
    const late = (stall?.silence_ms ?? 0) - THRESHOLD_MS;
    return late < 1 ? "within a millisecond of its threshold" : `${late} ms after its threshold`;
  }

  #others(): string {
    return AGENT_NAMES.filter((_, i) => i !== VICTIM).join(", ");
  }

  // A line of the daemon's log, the moment it is written.
  #heard(line: LogLine): void {
    this.#log.push(line);
    const agent = this.#agents.find(({ pid }) => pid === line.pid);
    if (agent === undefined || this.#over) return;
    switch (line.msg) {
      case "agent stalled":
        agent.marks.push("stall");
        agent.state = "STALLED";
        this.#tell("STALL", "bad", stallText(nameIn(line, agent), line));
        return;
      case "recovery began":
        this.#tell("RECOVER", "act", `kill -CONT ${agent.pid} runs as process ${line.child_pid}`);
        return;
      // The agent may beat before the command has ended.
      case "recovery done":
      case "recovery helped":
        this.#tell("DONE", "act", `the recovery is over, ${line.took_ms} ms after it began`);
        return;
      case "agent is back": {
        agent.marks.push("back");
        agent.state = "back";
        const awayMs = Math.round(performance.now() - this.#stoppedAtMs);
        this.#tell(
          "BACK",
          "good",
          `${nameIn(line, agent)} beats again, ${awayMs} ms after it was stopped`,
        );
      }
    }
  }

  get #victim(): Agent {
    return this.#agents[VICTIM]!;
  }

  #isRecovered(): boolean {
    return this.#has("recovery done") || this.#has("recovery helped");
  }

  #has(msg: string): boolean {
    return this.#log.some((line) => line.msg === msg && line.pid === this.#victim.pid);
  }

  #tell(word: string, tone: "plain" | "good" | "bad" | "act", text: string): void {
    this.#screen.tell(performance.now() - this.#startedMs, word, tone, text);
    this.#draw();
  }

  // One step of time: what the daemon took since the last one becomes a mark on each row.
  async #step(): Promise<void> {
    await Bun.sleep(STEP_MS);
    const beaten = new Set(this.#stage.takeBeats());
    for (const agent of this.#agents) {
      const beat = beaten.has(agent.pid);
      agent.marks.push(beat ? "beat" : "silent");
      if (beat && agent.state === "starting") agent.state = "beating";
    }
    this.#draw();
  }

  #draw(): void {
    this.#screen.draw(this.#agents satisfies AgentRow[]);
  }

  async #pass(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs && !this.#over) await this.#step();
  }

  async #until(what: string, happened: () => boolean): Promise<void> {
    while (!happened() && !this.#over) {
      if (this.#stage.daemonExit !== null)
        throw new Error(
          `cannot show the demonstration: the daemon ended with ${this.#stage.daemonExit}`,
        );
      if (performance.now() - this.#startedMs > STORY_MS_MAX)
        throw new Error(`cannot show the demonstration: waited too long for ${what}`);
      await this.#step();
    }
  }
}

/** What the daemon calls the agent; it knows no names where the kernel names no sender. */
function nameIn(line: LogLine, agent: Agent): string {
  return IS_LINUX ? (line.agent ?? "") : agent.name;
}

function stallText(name: string, { verdict, silence_ms, threshold_ms }: LogLine): string {
  const doing = verdict === undefined || verdict === "unknown" ? "" : `: ${verdict}`;
  return `${name} stalled${doing}, silent for ${silence_ms} ms (threshold ${threshold_ms} ms)`;
}
