// What the daemon gives to the export itself (spec 09 section 1.2): ends of members, missing
// agents, and the first and the last line of a run.
import type { ExpectedReports } from "../agents/expected_agents.ts";
import { VERSION } from "../base/build_info.ts";
import { NS_PER_MS } from "../base/time.ts";
import type { MuteEvent } from "../events/act.ts";
import type { EventExport } from "../export/event_export.ts";
import { machineBootId } from "../processes/boot_id.ts";
import type { View } from "../view/view.ts";
import type { EndReports } from "./end_options.ts";
import { SESSION_ID } from "./session.ts";
import type { End } from "./shutdown.ts";

export interface MuteSink {
  muted(event: MuteEvent): void;
}

type Exporter = Pick<EventExport, "setWallOffsetNs" | "add" | "onShutdown"> | undefined;

/** `exporter` is asked with each: the file is opened later. */
export function exportedReports(exporter: () => Exporter): EndReports & ExpectedReports & MuteSink {
  return {
    exited: (exit) => exporter()?.add("exit", exit),
    gone: (gone) => exporter()?.add("gone", gone),
    missing: (missing) => exporter()?.add("missing", missing),
    complete: (complete) => exporter()?.add("complete", complete),
    muted: (event) => exporter()?.add("mute", event),
  };
}

/** `configFile` is undefined if there is none. */
export function exportBoot(
  exporter: Exporter,
  observerNs: number,
  configFile: string | undefined,
): void {
  // No turn has set it yet.
  exporter?.setWallOffsetNs(Date.now() * NS_PER_MS - observerNs);
  exporter?.add("boot", {
    observerNs,
    pid: process.pid,
    version: VERSION,
    bootId: machineBootId(),
    sessionId: SESSION_ID,
    config: configFile ?? "",
  });
}

/** Who has moved the file may have sent the signal for it: it is looked for now. */
export function exportReload(
  exporter: (Exporter & Pick<EventExport, "reopen">) | undefined,
  observerNs: number,
  config: string,
  detail: string,
): void {
  exporter?.reopen();
  exporter?.add("reload", { observerNs, pid: process.pid, config, detail });
}

export function exportEnd(
  exporter: Exporter,
  observerNs: number,
  view: Pick<View, "totals" | "beats">,
  { reason, exitCode }: End,
): void {
  exporter?.onShutdown({
    observerNs,
    pid: process.pid,
    sessionId: SESSION_ID,
    reason,
    exitCode,
    members: view.totals().tracked,
    beats: view.beats(),
  });
}
