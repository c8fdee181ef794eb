// What log lines say of an agent, and of the beats that it sent.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { RefusalCount, Stall } from "../events/stall.ts";
import type { LogFields } from "./log.ts";

/**
 * What an agent that beats by plain UDP is called; undefined for all others, whose pid says enough.
 */
export function agentName(source: string, pid: number): string | undefined {
  return source === "" ? undefined : `${source}/${pid}`;
}

/**
 * How many beats of the pid came and were refused since the last accepted one, and why:
 * "out_of_order 12, replay 1".
 */
export function refusedFields(refused: readonly RefusalCount[]): LogFields {
  if (refused.length === 0) return {};
  return {
    refused_beats: refused.reduce((sum, { count }) => sum + count, 0),
    refused_because: refused.map(({ reason, count }) => `${reason} ${count}`).join(", "),
  };
}

/** Only where the kernel names the sender: of the others nothing is ever proven. */
export function unprovenField({ origin, proven }: Pick<Stall, "origin" | "proven">): LogFields {
  return origin === ORIGIN_KERNEL_ATTESTED && !proven ? { sender: "unproven" } : {};
}
