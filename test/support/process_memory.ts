// What stands in the memory of another process: for tests of what must not stay there. Linux; own
// children, or as root.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const PAGE_BYTES = 4_096;
const PAGE_ENTRY_BYTES = 8;
/** In the last byte of an entry of /proc/<pid>/pagemap: the page is in memory. */
const PAGE_PRESENT = 0x80;
/** Pages searched together; two pieces overlap by a page. */
const PIECE_PAGES = 4_096;

/** Whether `bytes`, shorter than a page, stand anywhere in the writable memory of `pid`. */
export function memoryHolds(pid: number, bytes: Uint8Array): boolean {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    for (const [start, end] of writableRanges(pid))
      for (let at = start; at < end; at += (PIECE_PAGES - 1) * PAGE_BYTES) {
        const length = Math.min(PIECE_PAGES * PAGE_BYTES, end - at);
        if (pieceHolds(memory, pagemap, at, length, bytes)) return true;
      }
    return false;
  } finally {
    closeSync(memory);
    closeSync(pagemap);
  }
}

// The runtime reserves far more than it uses: pages that were never touched are left alone.
function pieceHolds(
  memory: number,
  pagemap: number,
  at: number,
  length: number,
  bytes: Uint8Array,
): boolean {
  const pages = length / PAGE_BYTES;
  const entries = Buffer.alloc(pages * PAGE_ENTRY_BYTES);
  readSync(pagemap, entries, 0, entries.length, (at / PAGE_BYTES) * PAGE_ENTRY_BYTES);
  const isPresent = (page: number) =>
    page < pages && (entries[(page + 1) * PAGE_ENTRY_BYTES - 1]! & PAGE_PRESENT) !== 0;
  for (let page = 0; page < pages; page++) {
    let end = page;
    while (isPresent(end)) end++;
    if (end === page) continue;
    const run = Buffer.alloc((end - page) * PAGE_BYTES);
    const read = readSync(memory, run, 0, run.length, at + page * PAGE_BYTES);
    if (run.subarray(0, read).includes(bytes)) return true;
    page = end;
  }
  return false;
}

function writableRanges(pid: number): [number, number][] {
  const lines = readFileSync(`/proc/${pid}/maps`, "latin1").split("\n");
  return lines.flatMap((line): [number, number][] => {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    return range === null ? [] : [[Number.parseInt(range[1]!, 16), Number.parseInt(range[2]!, 16)]];
  });
}
