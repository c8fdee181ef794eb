// What log lines say of an agent, and of the beats that it sent.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { wholeMsFromNs } from "../base/time.ts";
import { type EndNumbers, endNumbers, signalName } from "../base/wait_status.ts";
import type { RefusalCount, Stall } from "../events/stall.ts";
import type { StallVerdict } from "../events/stall_verdict.ts";
import type { LogFields } from "./log.ts";

/** Who claims a pid by plain UDP; undefined = kernel or key vouch for it. */
export function agentName(source: string, pid: number): string | undefined {
  return source === "" ? undefined : `${source}/${pid}`;
}

/** Which agent a line is about, and which of its members; `name` "" = it has none. */
export function memberFields(name: string, pid: number): LogFields {
  return { agent: name === "" ? undefined : name, pid };
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

/** Of one that hangs while it stops. */
export function goodbyeFields({ goodbyeNs = Number.NaN, observerNs }: Stall): LogFields {
  if (Number.isNaN(goodbyeNs)) return {};
  return { since: "goodbye", goodbye_ms: wholeMsFromNs(saturatingSub(observerNs, goodbyeNs)) };
}

/** How a member ended, as far as that is known. */
export function endFields(end: EndNumbers): LogFields {
  const isBySignal = !Number.isNaN(end.signal);
  const isUnknown = !isBySignal && Number.isNaN(end.exitStatus);
  return { how: isUnknown ? "unknown" : isBySignal ? "signal" : "exit", ...statusFields(end) };
}

/** With names of signals: nobody knows all their numbers at night. */
function statusFields({ exitStatus, signal, dumpedCore }: EndNumbers): LogFields {
  return {
    exit_status: ifKnown(exitStatus),
    signal: Number.isNaN(signal) ? undefined : (signalName(signal) ?? `SIG${signal}`),
    core: dumpedCore || undefined,
  };
}

/** What the process of a stalled member was doing, and where it runs. */
export function verdictFields(verdict: StallVerdict | undefined): LogFields {
  return { verdict: verdict?.verdict, unit: verdict?.unit || undefined };
}

/** What proves the verdict. */
export function evidenceFields(verdict: StallVerdict | undefined): LogFields {
  if (verdict === undefined) return {};
  return {
    proc_state: verdict.procState || undefined,
    wchan: verdict.wchan || undefined,
    cpu_ticks: ifKnown(verdict.cpuTicks),
    tracer_pid: verdict.tracerPid || undefined,
    freezer: verdict.freezerVersion === 0 ? undefined : `v${verdict.freezerVersion}`,
    hint: verdict.freezerVersion === 1 ? THAW_HINT : undefined,
    ...statusFields(endNumbers(verdict.waitStatus)),
    verdict_reason: verdict.reason || undefined,
  };
}

const THAW_HINT = "a process that is frozen by version 1 ends by no signal before it is thawed";

function ifKnown(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
