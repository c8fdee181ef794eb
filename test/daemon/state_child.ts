// A daemon's state keeping with members that come all the time, for a test that kills it: it prints
// how many there were when a file was written. Its clock runs as fast as its turns.
import { StateKeeping } from "../../src/daemon/state_keeping.ts";
import { stateRows } from "../../src/daemon/state_rows.ts";
import { REAL_FILE_CALLS } from "../../src/files/append_file.ts";
import { hereAndNow } from "../../src/snapshot/here.ts";
import { Parts } from "./state_parts.ts";

const parts = new Parts();
let count = 0;
const keeping = StateKeeping.open({
  path: process.argv[2]!,
  isDefault: false,
  ownerUid: process.geteuid!(),
  calls: REAL_FILE_CALLS,
  rows: (isFinal) => stateRows(parts, { ...hereAndNow(0, 0), version: "1.2.3", isFinal }),
  mark: () => count,
  log: { info: (message) => console.error(message), warn: (message) => console.error(message) },
})!;
if (keeping === undefined) process.exit(1);

const BEAT = { generation: 5_000, uid: 1000, namespaceInode: 42 };
let nowNs = 0;
for (;;) {
  nowNs += 2.5e9;
  // Each beat has a file of its own, and the next comes when that is on the disk.
  if (keeping.written === count) {
    console.log(String(count));
    parts.harness.beat(1 + (count % 90), 1 + count, nowNs, BEAT);
    count += 1;
  }
  keeping.maintain(nowNs);
  await new Promise(setImmediate);
}
