// What an agent says of itself.
import { STATUS_CRITICAL, STATUS_DEGRADED, STATUS_OK } from "../wire/frame.ts";

/** What an agent may say of itself; only the observer says "stall". */
export type AgentStatus = "ok" | "degraded" | "critical";

/** The status byte, or -1 for anything that an agent may not send. */
export function agentStatusCode(status: unknown): number {
  if (status === "ok") return STATUS_OK;
  if (status === "degraded") return STATUS_DEGRADED;
  if (status === "critical") return STATUS_CRITICAL;
  return -1;
}
