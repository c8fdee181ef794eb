// Run by client_garbage.slow.ts in a process of its own: a million beats, received in batches
// without making objects.
import { ReceiveBatch } from "../../ffi/receive_batch.ts";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { bunPlatform } from "../../src/client/bun_platform.ts";
import { Client } from "../../src/client/client.ts";
import { BoundReceiver } from "./bound_receiver.ts";
import { unixEnd } from "./systems.ts";

const ROUNDS = 125_000;
const WARM_UP_ROUNDS = 2_500;
const BEATS_PER_ROUND = 8;

using receiver = new BoundReceiver();
using client = new Client(unixEnd(receiver.path), {
  stream: new BeatStream(),
  system: bunPlatform.system,
  reconnectMs: 0,
  perSecond: Number.POSITIVE_INFINITY,
});
const batch = new ReceiveBatch({ iovBytes: 33, stride: 64, credentials: true });

run(WARM_UP_ROUNDS);
Bun.gc(true);
process.stderr.write("start\n");
const received = run(ROUNDS);
process.stderr.write("end\n");
process.stdout.write(`${received} received\n`);

function run(rounds: number): number {
  let total = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < BEATS_PER_ROUND; i++) client.beat("ok", i);
    const count = batch.receive(receiver.fd);
    batch.reset(count);
    total += count;
  }
  return total;
}
