// Where this daemon is, and what its clocks say now (spec 18 section 5): read twice in a life, when
// a state is read and whenever one is written.
import { statSync } from "node:fs";
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, IS_LINUX } from "../../ffi/constants.ts";
import { machineBootId } from "../processes/boot_id.ts";
import type { Here } from "./continuation.ts";

/** `observerNs` and `unixMs` are now, by the clocks of the caller. */
export function hereAndNow(observerNs: number, unixMs: number): Here {
  return {
    bootId: machineBootId(),
    timeNamespace: namespaceInode("time"),
    pidNamespace: namespaceInode("pid"),
    observerNs,
    monotonicNs: clockNs(CLOCK_MONOTONIC),
    boottimeNs: clockNs(IS_LINUX ? CLOCK_BOOTTIME : CLOCK_MONOTONIC),
    unixMs,
  };
}

/**
 * 0 = there is no such namespace: the kernel is older than time namespaces (5.6), so there is one
 * time for all. NaN = it cannot be read.
 */
function namespaceInode(kind: "time" | "pid"): number {
  try {
    return statSync(`/proc/self/ns/${kind}`).ino;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? 0 : Number.NaN;
  }
}
