// A process that has no descriptor left, for the length of one piece of work.
import { closeSync, openSync } from "node:fs";
import { descriptorLimit, setDescriptorLimit } from "../../ffi/limits.ts";

/** Runs `work` while nothing can be opened in this process. It must not wait for anything. */
export function withNoDescriptorLeft(work: () => void): void {
  const before = descriptorLimit()!;
  const lowest = openSync("/dev/null", "r");
  closeSync(lowest);
  setDescriptorLimit({ ...before, soft: BigInt(lowest) });
  try {
    work();
  } finally {
    setDescriptorLimit(before);
  }
}
