// The limit of open descriptors, and the kernel's table of them.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { IS_LINUX } from "../../ffi/constants.ts";

// In a process of its own: the table of this one may have its full size already.
const SCRIPT = `
  import { readFileSync } from "node:fs";
  import { makeRoomForDescriptors } from "${join(import.meta.dir, "../../ffi/limits.ts")}";
  import { openReadiness } from "${join(import.meta.dir, "../../ffi/readiness.ts")}";
  const tableSize = () =>
    Number(/^FDSize:\\s+([0-9]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))[1]);
  const readiness = openReadiness(1, 1);
  const before = tableSize();
  const count = 2 * before;
  const result = makeRoomForDescriptors(readiness.fd, count);
  const next = openReadiness(1, 1);
  const found = { result, isRoom: tableSize() >= count, isOpen: next.fd >= before };
  console.log(JSON.stringify(found));
`;

test.if(IS_LINUX)(
  "makeRoomForDescriptors() makes the table large enough, and opens nothing",
  () => {
    const child = Bun.spawnSync([process.execPath, "-e", SCRIPT]);
    const found = JSON.parse(child.stdout.toString());
    expect(found).toEqual({ result: 0, isRoom: true, isOpen: false });
  },
);
