// Run by allocation.test.ts as a program of its own: feeds beats to a tracker and says where the
// measured part begins and ends, so that the collections which the engine logs in between can be
// counted. "leaky" allocates one object per beat.
import { Datagram, VOUCHED_BY_KERNEL, VOUCHED_NOT } from "../../src/events/datagram.ts";
import { Tracker } from "../../src/tracker/tracker.ts";
import { encodeFrame } from "../../src/wire/encode.ts";

const BEATS = 1_000_000;
const AGENTS = 4_096;
const leaky = process.argv[2] === "leaky";
const kept: unknown[] = [];

const tracker = new Tracker({
  thresholdNs: AGENTS / 2,
  capacity: AGENTS,
  processes: {
    startTime: () => Number.NaN,
    hasEnded: () => false,
    realUid: () => Number.NaN,
    innermostPid: () => Number.NaN,
    namespaceInode: () => Number.NaN,
  },
});
const datagram = new Datagram();
const { words } = datagram;
datagram.namespaceInode = 42;
datagram.generation = 7;
const sink = { onStall() {} };
let accepted = 0;

function feed(beats: number, base: number): void {
  for (let i = 0; i < beats; i++) {
    // Every 64th beat is late enough for a stall, a wrong origin or a repeated nonce.
    const origin = i % 64 === 1 ? 3 : 0;
    const nonce = i % 64 === 2 ? 0 : base + i;
    encodeFrame(words, 0, 0, 2 + (i % AGENTS), 0, i, 0, nonce, i);
    datagram.nowNs = base + i;
    datagram.origin = origin;
    datagram.vouched = origin === 0 ? VOUCHED_BY_KERNEL : VOUCHED_NOT;
    datagram.readFrame();
    datagram.key = datagram.pid;
    const update = tracker.record(datagram);
    if (update <= 1) accepted += 1;
    if (leaky) kept[i % 8] = { pid: i, nonce };
    if (i % 64 === 0) tracker.drainDue(base + i, 1_024, sink);
  }
}

feed(200_000, 1);
Bun.gc(true);
console.error("measured part begins");
feed(BEATS, 200_001);
console.error("measured part ends");
console.log(accepted);
