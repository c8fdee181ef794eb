// Run by notify_allocation.test.ts as a program of its own: reads messages, and says where the
// measured part begins and ends, so that the collections which the engine logs in between can be
// counted. "leaky" makes one small object for each.
import { NOTIFY_OK, NotifyMessage, SAID_BEAT } from "../../src/wire/notify_message.ts";

const MESSAGES = 1_000_000;
const leaky = process.argv[2] === "leaky";
const kept: unknown[] = [];

const bytes = new Uint8Array(4_096);
const texts = ["WATCHDOG=1", "WATCHDOG=1\n", "STATUS=serving\nWATCHDOG=1\nWATCHDOG_USEC=2000000\n"];
const lengths = texts.map((text) => Buffer.from(text).length);
const starts = [0, 100, 200];
for (const [i, text] of texts.entries()) bytes.set(Buffer.from(text), starts[i]);
const message = new NotifyMessage();
let beats = 0;

function feed(count: number): void {
  for (let i = 0; i < count; i++) {
    const which = i % 3;
    const code = message.read(bytes, starts[which]!, lengths[which]!);
    if (code === NOTIFY_OK && (message.said & SAID_BEAT) !== 0) beats += 1;
    if (leaky) kept[i % 8] = { i, said: message.said };
  }
}

feed(200_000);
Bun.gc(true);
console.error("measured part begins");
feed(MESSAGES);
console.error("measured part ends");
console.log(beats);
