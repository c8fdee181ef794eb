// The open descriptors of this process by number and kind. Counting them would do, were it not for
// threads of the runtime that close something of an earlier test at any moment: a leak is a
// descriptor that is new.
import { readdirSync, readlinkSync } from "node:fs";

const DIRECTORY = "/proc/self/fd";

export function openDescriptors(): ReadonlySet<string> {
  const open = new Set<string>();
  for (const number of readdirSync(DIRECTORY)) {
    try {
      open.add(`${number} ${readlinkSync(`${DIRECTORY}/${number}`)}`);
    } catch {
      // Closed meanwhile, such as the one of the listing itself.
    }
  }
  return open;
}

/** What is open now and was not then. */
export function openedSince(before: ReadonlySet<string>): string[] {
  return [...openDescriptors()].filter((one) => !before.has(one));
}
