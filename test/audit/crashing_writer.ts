// A process that writes an audit log as fast as it can, to be killed at any moment. It prints the
// last seq that is on disk whenever nothing waits, so that the test knows what must have survived.
import { NS_PER_MS } from "../../src/base/time.ts";
import { DrivenLog, openMemory, refusal, UNIX_MS } from "./audit_fixture.ts";

const [path, bytesMax] = process.argv.slice(2);
const driven = await DrivenLog.open(path!, {
  bytesMax: Number(bytesMax),
  memory: await openMemory(path!),
});
process.stdout.write("0\n");
for (let pid = 1; ; pid++) {
  driven.nowNs = performance.now() * NS_PER_MS;
  driven.log.record(refusal(pid), UNIX_MS);
  if (pid % 5 === 0) {
    await driven.settle();
    process.stdout.write(`${pid}\n`);
  } else await driven.turn();
}
