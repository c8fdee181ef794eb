// Wires the heartbeat file to the parts of the daemon.
import { effectiveUid } from "../../ffi/process.ts";
import { Counters } from "../base/counters.ts";
import type { Config } from "../config/config.ts";
import { FILES } from "../files/counters.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Parts } from "./parts.ts";
import { errorText } from "./start_error.ts";

/** Undefined if the configuration names no file. */
export function makeHeartbeat(
  { liveness }: Pick<Config, "liveness">,
  { metrics, log }: Pick<Parts, "metrics" | "log">,
  turns: () => number,
): Heartbeat | undefined {
  const path = liveness.heartbeatFile;
  if (path === undefined) return undefined;
  const counters = new Counters(FILES, path);
  metrics.show(counters);
  return new Heartbeat({
    path,
    ownerUid: effectiveUid(),
    turns,
    reopened: () => {
      counters.add(FILES.reopened.heartbeat);
      log.limited("heartbeat_io", "warn", "heartbeat file recreated", { file: path });
    },
    failed: (error) =>
      log.limited("heartbeat_io", "error", "heartbeat write failed", { error: errorText(error) }),
  });
}
