// What the process that started this one left: a signal mask, dispositions, a umask and a soft
// limit of descriptors. The program resets them first of all, and gives its children the umask and
// the limit as it found them.
import { closeSync, openSync } from "node:fs";
import { type DescriptorLimit, descriptorLimit, setDescriptorLimit } from "./limits.ts";
import { umask } from "./process.ts";
import { unblockSignals, unignoreSignals } from "./signals.ts";

/** A mask that takes these bits makes the daemon's own files useless to it. */
const OWNER_BITS = 0o700;
/** Descriptors that the start of a child takes: pipes, the null device, the child's pidfd. */
const SPAWN_DESCRIPTORS = 16n;

interface Inherited {
  readonly umask: number;
  /** Signals that were ignored, and have their default action now. */
  readonly ignored: readonly number[];
  /** As it was, and as it is now; undefined if they are the same. */
  readonly limit: { readonly given: DescriptorLimit; readonly own: DescriptorLimit } | undefined;
}

let inherited: Inherited | undefined;

/**
 * To be called once, before anything else: empties the signal mask, and gives ignored signals their
 * default action.
 */
export function setUpProcess(): void {
  unblockSignals();
  const ignored = unignoreSignals();
  const given = umask(0o077);
  umask(given & ~OWNER_BITS);
  inherited = {
    umask: given,
    ignored,
    limit: raisedLimit(),
  };
}

/** Signals that whoever started this process wants ignored, but for those of the runtime's own. */
export function ignoredAtStart(): readonly number[] {
  return inherited?.ignored ?? [];
}

/**
 * Runs `start`, which starts a child, with the umask and the soft limit of descriptors that the
 * child shall inherit: those that this process was started with, or `mask` if it is given. Both
 * belong to the whole process and are put back in every case. Other threads notice only a full
 * table: where it is nearly that full, the child gets the limit of this process.
 */
export function withInherited<Result>(mask: number | undefined, start: () => Result): Result {
  const childMask = mask ?? inherited?.umask;
  const ownMask = childMask === undefined ? undefined : umask(childMask);
  const limit = inherited?.limit;
  const lowers = limit !== undefined && hasRoomBelow(limit.given.soft);
  if (lowers) setDescriptorLimit(limit.given);
  try {
    return start();
  } finally {
    if (lowers) setDescriptorLimit(limit.own);
    if (ownMask !== undefined) umask(ownMask);
  }
}

// The runtime of the executable leaves the limit alone, so this is the limit at the start.
function raisedLimit(): Inherited["limit"] {
  const given = descriptorLimit();
  if (given === undefined || given.soft >= given.hard) return undefined;
  const own = { soft: given.hard, hard: given.hard };
  return setDescriptorLimit(own) < 0 ? undefined : { given, own };
}

function hasRoomBelow(soft: bigint): boolean {
  try {
    const fd = openSync("/dev/null", "r");
    closeSync(fd);
    return BigInt(fd) + SPAWN_DESCRIPTORS < soft;
  } catch {
    return false;
  }
}
