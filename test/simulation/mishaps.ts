// What goes wrong with agents, their machine and its clock.
import type { Agent } from "./agent.ts";
import { TERMINAL_NONCE } from "./frames.ts";
import { OWN_INODE } from "./process_table.ts";
import type { World } from "./world.ts";

/** One thing goes wrong: mostly with one agent, sometimes with the whole machine. */
export function mishap(world: World): void {
  if (world.random.chance(0.12)) machineMishap(world);
  else agentMishap(world, world.random.pick(world.agents));
}

function agentMishap(world: World, agent: Agent): void {
  if (agent.state !== "running") return;
  const { random, coverage } = world;
  const T = world.scenario.thresholdNs;
  switch (random.below(15)) {
    case 0:
    case 1:
      coverage.count("frozen");
      agent.state = "frozen";
      agent.wakesNs = world.trueNs + random.between(0, random.pick([T, 3 * T, 15 * T]));
      return;
    case 2:
      die(world, agent);
      return;
    case 3:
      panic(world, agent);
      return;
    case 4:
      coverage.count("restartedInPlace");
      agent.nonce = 0n;
      return;
    case 5:
    case 6:
      replaceProcess(world, agent);
      return;
    case 7:
    case 8:
      hide(world, agent);
      return;
    case 9:
      coverage.count("nonceNearTop");
      agent.nonce = TERMINAL_NONCE - 1n - BigInt(random.below(2 ** 21));
      if (random.chance(0.7)) agent.nonce = TERMINAL_NONCE - BigInt(random.between(1, 4));
      if (random.chance(0.5)) return;
      // The far end of the distance that still counts as a wrap.
      world.beat(agent);
      agent.nonce = 2n ** 20n + BigInt(random.between(-2, 2));
      return;
    case 10:
      coverage.count("burst");
      for (let i = random.between(2, 100); i > 0; i--) world.beat(agent);
      return;
    case 11:
      coverage.count("moved");
      if (agent.isOnUnix) agent.kind = random.chance(0.5) ? "invisible" : "network";
      else agent.kind = "attested";
      world.settle(agent);
      return;
    case 13:
      replaceBehindBeats(world, agent);
      return;
    case 12:
      if (agent.last === undefined) return;
      coverage.count("replayed");
      world.send(agent, agent.last);
      return;
    default:
      swapInLookup(world, agent);
  }
}

/** By itself, or because the machine was suspended. */
function goAhead({ clock, scenario, coverage }: World, ns: number): void {
  clock.skewNs += ns;
  if (!scenario.goesOnAsleep) return;
  clock.asleepTotalNs += ns;
  coverage.count("suspended");
}

function machineMishap(world: World): void {
  const { random, coverage, clock } = world;
  const T = world.scenario.thresholdNs;
  switch (random.below(13)) {
    case 12:
      // The daemon stands still while its agents go on.
      coverage.count("observerStopped");
      world.sleepNs = random.between(Math.ceil(T / 4), 5 * T);
      return;
    case 0:
      coverage.count("clockWentBack");
      clock.skewNs -= random.between(1, 2 * T);
      return;
    case 1:
      coverage.count("clockWentAhead");
      goAhead(world, random.between(1, random.pick([T, 12 * T, 100e9])));
      return;
    case 2:
      coverage.count("clockSteppedInTurn");
      clock.stepAfterReceives = random.between(1, 6);
      clock.stepNs = random.between(-T, T);
      return;
    case 3:
      coverage.count("clockUnreadable");
      clock.unreadable = true;
      return;
    case 4:
    case 10:
    case 11:
      coverage.count("machineFrozen");
      for (const agent of world.agents) {
        if (agent.state !== "running") continue;
        agent.state = "frozen";
        agent.wakesNs = world.trueNs + random.between(T, 3 * T);
      }
      return;
    case 5:
      coverage.count("longQuiet");
      if (random.chance(0.5)) clock.trueNs += random.between(11 * T, 30 * T);
      else comeBackTogether(world);
      return;
    case 6: {
      const EIO = 5;
      coverage.count("receiveFailed");
      random.pick(world.links).failNext(random.between(1, 12), EIO);
      return;
    }
    case 7:
      coverage.count("slowTurn");
      clock.receiveNs = random.pick([2_000_000, 900_000_000, 2_500_000_000]);
      return;
    case 8:
      coverage.count("pidMaxChanged");
      world.pidMax = random.pick([world.agents.length, 32_768, 4_194_304]);
      return;
    default:
      coverage.count("wallClockSet");
      world.wallOffsetNs += random.between(-3_600e9, 3_600e9);
  }
}

// All agents are silent for so long that all may be evicted, and then beat at once: newcomers take
// the slots of agents whose own beats come right after them.
function comeBackTogether(world: World): void {
  const T = world.scenario.thresholdNs;
  world.clock.trueNs += 2 * T;
  world.sleepNs = 11 * T;
  for (const agent of world.agents) {
    if (agent.state === "dead") continue;
    agent.state = "frozen";
    agent.wakesNs = world.trueNs + 11 * T;
  }
}

function die(world: World, agent: Agent): void {
  world.coverage.count("died");
  agent.state = "dead";
  const T = world.scenario.thresholdNs;
  agent.wakesNs = world.trueNs + world.random.between(0, world.random.pick([T, 4 * T, 25 * T]));
  if (agent.isOnUnix) world.processes.end(agent.pid);
}

/** The last words of a panicking agent, sometimes several, sometimes while the process lives on. */
function panic(world: World, agent: Agent): void {
  const { random } = world;
  world.coverage.count("panicked");
  for (let i = random.pick([1, 1, 1, 5]); i > 0; i--) {
    const timestamp = BigInt(Math.max(0, world.trueNs - random.below(3)));
    world.beat(agent, { nonce: TERMINAL_NONCE, status: 2, timestamp });
  }
  if (random.chance(0.7)) die(world, agent);
}

/** Another process gets the pid at once, before the end of the first is noticed. */
export function replaceProcess(world: World, agent: Agent): void {
  const { random } = world;
  if (agent.state === "dead") return;
  world.coverage.count("replacedAtOnce");
  const nonce = agent.nonce;
  world.start(agent, agent.pid);
  // The kept hazard of spec 05 section 5: the nonce of the newcomer happens to advance.
  if (random.chance(0.3)) agent.nonce = nonce + BigInt(random.below(1_000));
  if (random.chance(0.3)) agent.nextBeatNs += 3 * world.scenario.thresholdNs;
}

/**
 * Its last beats wait in the socket while a stranger takes over the pid, who will not beat for
 * long.
 */
function replaceBehindBeats(world: World, agent: Agent): void {
  const { random } = world;
  if (!agent.isOnUnix) return;
  world.coverage.count("replacedBehindItsBeats");
  for (let i = random.pick([1, 2, 5]); i > 0; i--) world.beat(agent);
  world.start(agent, agent.pid);
  agent.nextBeatNs += 3 * world.scenario.thresholdNs;
}

/** What may be read in /proc about the process changes. */
function hide(world: World, agent: Agent): void {
  const process = world.processes.find(agent.pid);
  if (process === undefined) return;
  world.coverage.count("readabilityChanged");
  process.statReadable = world.random.chance(0.6);
  const isForeign = process.inode !== OWN_INODE;
  process.namespaceRead = isForeign
    ? world.random.pick(["readable", "hidden"])
    : world.random.pick(["readable", "readable", "hidden", "unreadable"]);
}

function swapInLookup(world: World, agent: Agent): void {
  if (agent.kind !== "attested") return;
  world.coverage.count("swappedInLookup");
  world.processes.swappedInLookup.set(agent.pid, world.processes.nextStartTime());
  // The frame that makes the daemon look.
  agent.nonce = 0n;
  world.beat(agent);
}
