// Everything outside the daemon: processes, agents, sockets and time. Each step lets some time
// pass, agents beat, and now and then something goes wrong (mishaps.ts, hostility.ts).
import { Agent, type AgentKind } from "./agent.ts";
import type { Coverage } from "./coverage.ts";
import { referenceControlBytes } from "../reference/control_datagram.ts";
import { type FrameFields, frameBytes, isRubbish } from "./frames.ts";
import { hostileTraffic, rubbishFlood } from "./hostility.ts";
import { mishap, replaceProcess } from "./mishaps.ts";
import { type Datagram, Link } from "./network.ts";
import { OWN_INODE, ProcessTable } from "./process_table.ts";
import type { Random } from "./random.ts";
import { scenarioOf, type Scenario, STRANGER_UID } from "./scenario.ts";
import { SimulatedClock } from "./simulated_clock.ts";
import type { TraceHash } from "./trace_hash.ts";

const FOREIGN_INODE = 4_026_532_999;
export const PID_MAX = 32_768;

export interface WorldOptions {
  readonly random: Random;
  readonly agentCount: number;
  readonly trace: TraceHash;
  readonly coverage: Coverage;
}

export class World {
  readonly random: Random;
  readonly coverage: Coverage;
  readonly trace: TraceHash;
  readonly processes = new ProcessTable(() => this.generationAt(this.clock.trueNs));
  readonly agents: readonly Agent[];
  /** Of the present life. */
  clock = new SimulatedClock();
  links: readonly Link[] = [];
  scenario: Scenario;
  pidMax = PID_MAX;
  /**
   * Until then the link of this number is flooded by senders that wait for room; true
   * time.
   */
  flood = { link: 0, untilNs: 0, hasBegun: false };
  /** Added to the next step: the machine sleeps. */
  sleepNs = 0;
  wallOffsetNs = 1_700_000_000_000_000_000;
  /**
   * True time that passed before this life: the machine goes on between the lives of the daemon.
   */
  #livedNs = 0;

  constructor({ random, agentCount, trace, coverage }: WorldOptions) {
    this.random = random;
    this.scenario = scenarioOf(0, random, agentCount);
    this.trace = trace;
    this.coverage = coverage;
    this.agents = Array.from({ length: agentCount }, (_, number) => new Agent(number));
  }

  /** A new daemon: its clock starts at 0, its sockets are empty, the agents find other sockets. */
  beginLife(scenario: Scenario): void {
    this.scenario = scenario;
    this.#livedNs += this.clock.trueNs;
    this.clock = new SimulatedClock();
    this.pidMax = PID_MAX;
    this.sleepNs = 0;
    const canSend = (datagram: Datagram) => this.#canSend(datagram);
    this.links = scenario.links.map((options) => new Link(options, canSend));
    this.flood = { link: 0, untilNs: 0, hasBegun: false };
    for (const agent of this.agents) {
      if (agent.state === "dead") agent.wakesNs = this.random.below(scenario.thresholdNs);
      else if (scenario.allowCrossNamespace && this.random.chance(0.5))
        this.start(agent, agent.pid);
      else this.settle(agent);
    }
  }

  get trueNs(): number {
    return this.clock.trueNs;
  }

  /**
   * The clock of start times at a true time of this life. Its ticks are short, so that many
   * processes can start.
   */
  generationAt(trueNs: number): number {
    return 1_000 + Math.floor((this.#livedNs + trueNs) / 1_000);
  }

  /** Lets `ns` pass and everything happen that falls into it. */
  step(ns: number): void {
    this.clock.trueNs += ns + this.sleepNs;
    this.sleepNs = 0;
    if (this.random.chance(this.scenario.mishaps)) mishap(this);
    if (this.random.chance(this.scenario.hostility)) hostileTraffic(this);
    if (this.trueNs < this.flood.untilNs) rubbishFlood(this, this.flood.link);
    for (const agent of this.agents) this.#live(agent);
    for (const link of this.links) link.deliver(this.trueNs);
  }

  /** True time until the next datagram or beat; Infinity = nothing is planned. */
  nextEventInNs(): number {
    let nextNs = Number.POSITIVE_INFINITY;
    for (const agent of this.agents) {
      const at = agent.state === "running" ? agent.nextBeatNs : agent.wakesNs;
      nextNs = Math.min(nextNs, at);
    }
    for (const link of this.links) nextNs = Math.min(nextNs, link.nextArrivalNs);
    return Math.max(0, nextNs - this.trueNs);
  }

  /**
   * A recovery command for the agent of `pid` succeeded: mostly a service manager started it again.
   */
  recovered(pid: number): void {
    const agent = this.agents.find((one) => one.pid === pid && one.state !== "running");
    if (agent === undefined || this.random.chance(0.4)) return;
    this.coverage.count("recovered");
    if (agent.isOnUnix) this.processes.end(pid);
    agent.state = "dead";
    this.#rebirth(agent);
  }

  /**
   * Another process takes over `pid`, which has the longest time to do harm while its stall waits.
   */
  replaceOwnerOf(pid: number): void {
    const owner = this.agents.find((agent) => agent.pid === pid && agent.isOnUnix);
    if (owner !== undefined) replaceProcess(this, owner);
  }

  /** The processes that were replaced in the middle of a look-up are the new ones from now on. */
  finishSwaps(): void {
    for (const pid of this.processes.swappedInLookup.keys()) {
      const agent = this.agents.find((one) => one.pid === pid && one.state === "running");
      if (agent !== undefined) this.start(agent, pid);
    }
    this.processes.swappedInLookup.clear();
  }

  /** Starts a new process for `agent` under `pid`. */
  start(agent: Agent, pid: number): void {
    const { random } = this;
    agent.pid = pid;
    agent.state = "running";
    agent.nonce = random.chance(0.9) ? 0n : BigInt(random.u32());
    agent.last = undefined;
    agent.kind = this.#drawKind();
    this.settle(agent);
    this.processes.end(pid);
    if (!agent.isOnUnix) return;
    const isForeign = agent.kind === "foreign" || agent.kind === "contained";
    const process = this.processes.start({
      pid,
      inode: isForeign ? FOREIGN_INODE + random.below(2) : OWN_INODE,
      uid: random.chance(0.03) ? STRANGER_UID : 1_000 + random.below(2),
      gid: 1_000,
      innermostPid: isForeign ? 1 + random.below(6) : pid,
    });
    if (random.chance(0.15)) process.namespaceRead = random.pick(["hidden", "unreadable"]);
    if (random.chance(0.05)) process.statReadable = false;
  }

  /** Finds a socket and a period for a living agent. */
  settle(agent: Agent): void {
    const { random, scenario } = this;
    const wanted = agent.isOnUnix ? "unix" : "udp";
    const candidates = this.links.flatMap((link, listenerNumber) =>
      link.options.kind === wanted ? [listenerNumber] : [],
    );
    if (candidates.length === 0) agent.kind = wanted === "unix" ? "network" : "attested";
    agent.link = candidates.length > 0 ? random.pick(candidates) : random.below(this.links.length);
    const periodNsMax = Math.floor((scenario.isCalm ? 0.25 : 0.9) * scenario.thresholdNs);
    agent.periodNs = random.between(Math.floor(scenario.thresholdNs / 8), periodNsMax);
    agent.nextBeatNs = this.trueNs + random.below(agent.periodNs);
    agent.lastArrivalNs = this.trueNs;
  }

  /** A pid that no living process has. */
  freePid(): number {
    const space = 3 * this.agents.length + 50;
    for (;;) {
      const pid = 2 + this.random.below(space);
      if (this.agents.every((agent) => agent.state === "dead" || agent.pid !== pid)) return pid;
    }
  }

  /** One beat of `agent`, with its next nonce unless `fields` says otherwise. */
  beat(agent: Agent, fields: Partial<FrameFields> = {}): void {
    const { random } = this;
    const frame: FrameFields = {
      status: random.chance(0.9) ? 0 : random.between(1, 2),
      pid: this.#statedPid(agent),
      timestamp: BigInt(this.trueNs),
      nonce: agent.nonce,
      payload: random.u32(),
      ...fields,
    };
    if (fields.nonce === undefined) agent.nonce = (agent.nonce + 1n) % (2n ** 64n - 1n);
    agent.last = frame;
    if (!this.scenario.isCalm && random.chance(0.02)) this.#greet(agent);
    this.send(agent, frame);
    if (random.chance(0.02)) {
      this.coverage.count("duplicated");
      this.send(agent, frame);
    }
  }

  /** A hello, or a bye that its next beat takes back; some in a row, and some that are none. */
  #greet(agent: Agent): void {
    const { random } = this;
    const process = agent.isOnUnix ? this.processes.find(agent.pid) : undefined;
    for (let i = random.pick([1, 1, 2, 6]); i > 0; i--) {
      const kind = random.pick([1, 1, 2, 2, 3]);
      const nonce = random.chance(0.2) ? 1n : agent.nonce;
      const pid = this.#statedPid(agent);
      const bytes = referenceControlBytes({ kind, pid, nonce, intervalMs: 0, name: "" });
      this.coverage.count("greetings");
      const credentials = agent.credentials(process?.uid ?? 1_000, process?.gid ?? 1_000);
      this.post(agent.link, { bytes, controlTruncated: false, credentials }, agent);
    }
  }

  send(agent: Agent, frame: FrameFields): void {
    const process = agent.isOnUnix ? this.processes.find(agent.pid) : undefined;
    this.post(
      agent.link,
      {
        bytes: frameBytes(frame),
        controlTruncated: false,
        credentials: agent.credentials(process?.uid ?? 1_000, process?.gid ?? 1_000),
      },
      agent,
    );
  }

  /** Hands a datagram to the network; `sender` keeps its order on a unix socket. */
  post(listenerNumber: number, datagram: Datagram, sender?: Agent): void {
    const { random } = this;
    const link = this.links[listenerNumber]!;
    this.trace.number(listenerNumber);
    this.trace.bytes(datagram.bytes);
    if (link.filterSample > 0 && isRubbish(datagram.bytes, link.options.containers)) {
      if (!random.chance(1 / link.filterSample)) {
        this.coverage.count("filtered");
        return;
      }
    }
    const isNamed = link.options.kind === "unix" && (datagram.credentials?.pid ?? 0) !== 0;
    const named = isNamed ? this.processes.find(datagram.credentials!.pid) : undefined;
    const sent = { ...datagram, sender: named };
    // Of a sender that is gone, what it left is in the socket already.
    const isLeft = isNamed && named === undefined;
    if (this.scenario.isCalm) {
      if (!link.send(sent, this.trueNs, this.trueNs)) this.coverage.count("refusedAtSender");
      return;
    }
    if (random.chance(0.01) && !isLeft) {
      this.coverage.count("arrivedDuringTurn");
      link.sendLate(sent, random.between(1, 3));
      return;
    }
    let dueNs = this.trueNs + (isLeft ? 0 : this.#drawDelayNs());
    if (sender !== undefined && link.options.kind === "unix") {
      dueNs = Math.max(dueNs, sender.lastArrivalNs);
      sender.lastArrivalNs = dueNs;
    }
    if (dueNs > this.trueNs) this.coverage.count("delayed");
    if (!link.send(sent, dueNs, this.trueNs)) this.coverage.count("refusedAtSender");
  }

  #canSend({ sender }: Datagram): boolean {
    return sender === undefined || this.processes.find(sender.pid) === sender;
  }

  #drawDelayNs(): number {
    if (this.random.chance(0.8)) return 0;
    const limit = this.random.chance(0.95) ? 0.3 : 2;
    return this.random.below(Math.floor(limit * this.scenario.thresholdNs) + 1);
  }

  #drawKind(): AgentKind {
    const { random } = this;
    if (this.scenario.allowCrossNamespace && random.chance(0.3)) return "foreign";
    const hasPods = this.scenario.links.some(({ containers }) => containers);
    if (hasPods && random.chance(0.2)) return "contained";
    if (random.chance(0.7)) return "attested";
    return random.pick(["foreign", "translated", "invisible", "network", "network", "squatter"]);
  }

  #live(agent: Agent): void {
    if (agent.state !== "running") {
      if (agent.wakesNs > this.trueNs) return;
      if (agent.state === "dead") this.#rebirth(agent);
      else this.#thaw(agent);
    }
    // After a long sleep a timer fires once, not once for every period missed.
    const late = this.trueNs - agent.nextBeatNs;
    if (late > 3 * agent.periodNs) agent.nextBeatNs = this.trueNs;
    while (agent.nextBeatNs <= this.trueNs) {
      this.beat(agent, this.#squattedPid(agent));
      const jitter = this.random.below(Math.max(1, Math.floor(agent.periodNs / 10)));
      agent.nextBeatNs += agent.periodNs - jitter;
    }
  }

  #thaw(agent: Agent): void {
    this.coverage.count("thawed");
    agent.state = "running";
    agent.nextBeatNs = Math.max(agent.nextBeatNs, this.trueNs);
  }

  #rebirth(agent: Agent): void {
    const { random } = this;
    const isTaken = this.agents.some(
      (other) => other !== agent && other.state !== "dead" && other.pid === agent.pid,
    );
    const reuses = agent.pid !== 0 && !isTaken && random.chance(0.5);
    if (reuses) this.coverage.count("pidReused");
    this.start(agent, reuses ? agent.pid : this.freePid());
  }

  #statedPid({ kind, pid }: Agent): number {
    if (kind !== "contained" || this.random.chance(0.02)) return pid;
    return this.processes.find(pid)?.innermostPid ?? pid;
  }

  #squattedPid(agent: Agent): Partial<FrameFields> {
    if (agent.kind !== "squatter") return {};
    const victim = this.agents[(agent.number + 1) % this.agents.length]!;
    return { pid: victim.pid === 0 ? agent.pid : victim.pid };
  }
}
