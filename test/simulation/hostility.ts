// Traffic that no honest agent sends: garbage, forgeries, attached descriptors and floods.
import { brokenFrame, type FrameFields, frameBytes } from "./frames.ts";
import type { Datagram } from "./network.ts";
import { STRANGER_UID } from "./scenario.ts";
import type { World } from "./world.ts";

/** Datagrams that are no frames at the beginning of a flood: more than a turn takes. */
const RUBBISH_FIRST = 5_000;
/** The same in each later step, if none finds the queue full. */
const RUBBISH_PER_STEP_MAX = 600;

/**
 * Senders in blocking mode: whatever room there is in the queue, they take it before any other
 * sender.
 */
export function rubbishFlood(world: World, listenerNumber: number): void {
  const { random, trueNs } = world;
  const link = world.links[listenerNumber]!;
  const most = world.flood.hasBegun ? RUBBISH_PER_STEP_MAX : RUBBISH_FIRST;
  world.flood.hasBegun = true;
  for (let i = 0; i < most && !link.isFull; i++) {
    const bytes = new Uint8Array(random.pick([1, 31, 32, 32, 33])).fill(i);
    const credentials = { pid: 4_000_000, uid: 1_000, gid: 1_000 };
    const datagram = { bytes, controlTruncated: false, credentials };
    if (link.filterSample === 0 || random.chance(1 / link.filterSample))
      link.send(datagram, trueNs, trueNs);
    else world.coverage.count("filtered");
  }
}

export function hostileTraffic(world: World): void {
  const { random } = world;
  if (random.chance(0.03)) {
    const untilNs = world.trueNs + random.below(3 * world.scenario.thresholdNs);
    world.flood = { link: random.below(world.links.length), untilNs, hasBegun: false };
    world.coverage.count("rubbishFlood");
    return;
  }
  const count = drawCount(world);
  // A unix socket cannot hold a flood: its senders are told to wait.
  const udp = world.links.findIndex(({ options }) => options.kind === "udp");
  const listenerNumber = count > 1_000 && udp >= 0 ? udp : random.below(world.links.length);
  const rotates = random.chance(0.3);
  const kind = random.below(8);
  for (let i = 0; i < count; i++) {
    world.post(listenerNumber, hostileDatagram(world, rotates ? random.below(8) : kind));
  }
}

function drawCount(world: World): number {
  const { random, coverage } = world;
  if (random.chance(0.9)) return random.between(1, 8);
  if (random.chance(0.9)) return random.between(20, 300);
  coverage.count("flood");
  return random.between(4_096, 9_000);
}

function hostileDatagram(world: World, kind: number): Datagram {
  const { random } = world;
  const victim = random.pick(world.agents);
  const frame: FrameFields = {
    status: random.below(3),
    pid: Math.max(2, victim.pid),
    timestamp: BigInt(world.trueNs),
    nonce: victim.nonce + BigInt(random.below(3)),
    payload: 0,
  };
  const honest = { pid: frame.pid, uid: 1_000, gid: 1_000 };
  switch (kind) {
    case 0: {
      const bytes = new Uint8Array(random.pick([0, 1, 31, 33]));
      bytes.set(frameBytes(frame).subarray(0, Math.min(32, bytes.length)));
      return { bytes, controlTruncated: false, credentials: honest };
    }
    case 1:
      return { bytes: brokenFrame(random, frame), controlTruncated: false, credentials: honest };
    case 2: {
      const length = random.pick([32, 32, 40]);
      const bytes = new Uint8Array(length);
      bytes.set(frameBytes(frame));
      return { bytes: bytes.subarray(0, 33), controlTruncated: true, credentials: honest };
    }
    case 3:
      return { bytes: frameBytes(frame), controlTruncated: false, credentials: undefined };
    case 4: {
      const forger = { pid: frame.pid + 1 + random.below(9), uid: 1_000, gid: 1_000 };
      return { bytes: frameBytes(frame), controlTruncated: false, credentials: forger };
    }
    case 5: {
      const stranger = { ...honest, uid: STRANGER_UID };
      return { bytes: frameBytes(frame), controlTruncated: false, credentials: stranger };
    }
    case 6: {
      const pid = random.pick([world.pidMax + 1, 2 ** 32 - 1, 5_000_000]);
      const credentials = { ...honest, pid };
      return { bytes: frameBytes({ ...frame, pid }), controlTruncated: false, credentials };
    }
    default: {
      // Rotating pids that no process has: they fill the tracker.
      const pid = 2 + random.below(30_000);
      const bytes = frameBytes({ ...frame, pid, nonce: BigInt(random.below(100)) });
      return { bytes, controlTruncated: false, credentials: { ...honest, pid } };
    }
  }
}
