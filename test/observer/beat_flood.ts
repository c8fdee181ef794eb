// Child process of heap.test.ts: beats through pump() as in the steady state, written in place so
// that nothing but the observer could allocate. Says on stderr when the beats that count begin and
// end; the engine writes its collections there.
import { writeSync } from "node:fs";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { ReceivedBatch, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { Observer } from "../../src/observer/observer.ts";
import { encodeFrame } from "../../src/wire/encode.ts";

const AGENTS = 1_024;
const [warmUpBeats, beats] = process.argv.slice(2).map(Number) as [number, number];

/** Every beat of every agent in turn: full batches for ever. */
class Agents implements Listener {
  readonly kind = "unix";
  readonly name = "agents";
  readonly fd = -1;
  readonly allowList = undefined;
  readonly batch = new ReceivedBatch(new Uint32Array(BATCH_SIZE * 16));
  #sent = 0;

  constructor() {
    this.batch.sentAfterGeneration = Number.POSITIVE_INFINITY;
  }

  receive(): number {
    const { batch } = this;
    for (let i = 0; i < BATCH_SIZE; i++) {
      const agent = this.#sent % AGENTS;
      // A conflict, a damaged frame and an old nonce now and then: refusals must not allocate
      // either.
      const kind = this.#sent % 97;
      const nonce = kind === 7 ? 0 : 1 + Math.floor(this.#sent / AGENTS);
      this.#sent += 1;
      batch.frameWord[i] = i * 16;
      batch.verdict[i] = VERDICT_PASS;
      batch.peerPid[i] = kind === 3 ? 1 : 100 + agent;
      encodeFrame(batch.words, i * 16, 0, 100 + agent, 0, this.#sent, 0, nonce, agent);
      if (kind === 5) batch.words[i * 16]! ^= 1;
    }
    return BATCH_SIZE;
  }

  close(): void {}
}

let nowNs = 0;
const observer = new Observer({
  thresholdNs: 5e9,
  clock: new ObserverClock({ readNs: () => (nowNs += 1_000) }),
  processes: {
    startTime: () => 1,
    hasEnded: () => false,
    realUid: () => 0,
    innermostPid: () => Number.NaN,
    namespaceInode: () => 1,
  },
  observerInode: 1,
  trackerCapacity: 4_096,
  admission: { perPidRate: 1e6, globalRate: 1e9, globalBurst: 9e6 },
});
observer.addListener(new Agents());
let rows = 0;
function sink(_batch: unknown, count: number): void {
  rows += count;
}

for (let sent = 0; sent < warmUpBeats; ) sent += observer.pump(sink, 4_096);
Bun.gc(true);
writeSync(2, "\nbegin\n");
for (let sent = 0; sent < beats; ) sent += observer.pump(sink, 4_096);
writeSync(2, "\nend\n");
console.log(JSON.stringify({ rows, accepted: observer.accounting.accepted[0] }));
