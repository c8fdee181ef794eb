// Gives the control socket what its answers are made from, and says in the log what it is told to
// do (spec 16).
import { hostname } from "node:os";
import { effectiveUid } from "../../ffi/process.ts";
import type { PeerCredentials } from "../../ffi/peer.ts";
import type { Config } from "../config/config.ts";
import type { ControlServerOptions, ControlSettings } from "../control/control_server.ts";
import type { ControlSources, Request } from "../control/request.ts";
import { parseRequestQuery } from "../control/request_line.ts";
import { REQUESTS } from "../control/requests.ts";
import { StatusLine } from "../control/status_line.ts";
import type { HttpStream, HttpView, HttpViews } from "../http/view_queue.ts";
import { EventStreams } from "../view/event_streams.ts";
import type { View } from "../view/view.ts";
import { LastSeenFile } from "./last_seen_file.ts";
import type { Log } from "./log.ts";
import type { Parts } from "./parts.ts";
import { SESSION_ID } from "./session.ts";
import { errorText } from "./start_error.ts";
import { StateDump, STATUS_BYTES_MAX } from "./state_dump.ts";

type ControlParts = Pick<Parts, "acts" | "beats" | "events" | "explaining" | "later" | "processes">;

export function controlSources(
  view: View,
  parts: ControlParts,
  reload: ControlSources["reload"],
): ControlSources {
  const { acts, beats, events, explaining, later, processes } = parts;
  return {
    view,
    host: hostname(),
    wallMs: Date.now,
    acts,
    beats,
    events: new EventStreams(events, SESSION_ID),
    explain: (target) => explaining.explain(target),
    reload,
    later: (ns, wake) => later.after(ns, wake),
    commOf: (pid) => processes.commOf(pid),
  };
}

/** What the control socket has from the daemon, whatever is configured. */
export function controlOptions(
  { log, clock, kept }: Pick<Parts, "log" | "clock" | "kept">,
  sources: ControlSources,
): Omit<ControlServerOptions, keyof ControlSettings> {
  return {
    daemonUid: effectiveUid(),
    requests: REQUESTS,
    sources,
    kept,
    nowNs: () => clock.nowNs(),
    // What came of it is an info line of its own.
    acted: ({ name }, _args, peer) => log.debug("asked", { act: name, ...byFields(peer) }),
    refusedAct: ({ name }, peer) => refusedAct(log, name, peer),
  };
}

/** What reads, as HTTP has it; without a token on a loopback address `status` alone is served. */
export function controlViews(config: Config, sources: ControlSources): HttpViews {
  const isOn = config.metrics.view && !config.optionsAlone;
  const views = REQUESTS.filter(({ right }) => isOn && right === "read");
  return new Map(views.map((request) => [`/v1/${request.name}`, httpView(request, sources)]));
}

function httpView(request: Request, sources: ControlSources): HttpView | HttpStream {
  const isGuarded = request.name !== "status";
  const parse = (query: URLSearchParams) => parseRequestQuery(request.name, query, REQUESTS);
  const { follow } = request;
  if (follow !== undefined)
    return {
      isGuarded,
      follow(query, client) {
        const parsed = parse(query);
        if ("refusal" in parsed) return { problem: parsed.refusal.text };
        return follow(parsed.args, sources, client);
      },
    };
  return {
    isGuarded,
    open(query) {
      const parsed = parse(query);
      if ("refusal" in parsed) return { problem: parsed.refusal.text };
      return request.run(parsed.args, sources, { peer: undefined, wake: () => {} });
    },
  };
}

/** Undefined = a daemon of options alone writes nothing but what they name. */
export function makeLastSeen(
  { optionsAlone, bareRun }: Config,
  controlPath: () => string | undefined,
  view: View,
  log: Log,
): LastSeenFile | undefined {
  if (optionsAlone && !bareRun) return undefined;
  return new LastSeenFile({
    controlPath,
    walk: () => view.walkStatus(),
    wallMs: Date.now,
    failed: (error) => log.warn("last-seen not written, ignoring", { error: errorText(error) }),
  });
}

export function makeStateDump(
  { optionsAlone, bareRun }: Config,
  view: View,
  parts: Parts,
  turns: () => number,
): StateDump {
  const { log, stderr, clock } = parts;
  const hasView = !optionsAlone || bareRun;
  const sources = { view, host: hostname(), wallMs: Date.now };
  return new StateDump({
    view,
    log,
    statusLine: hasView ? () => new StatusLine(sources, { bytesMax: STATUS_BYTES_MAX }) : undefined,
    write: (line) => stderr.write(line),
    nowNs: () => clock.lastNs,
    turns,
    logDropped: () => stderr.dropped,
  });
}

function refusedAct(log: Log, act: string, peer: PeerCredentials | undefined): void {
  const hint = "control.operators";
  const who = peer === undefined ? {} : byFields(peer);
  log.limited("control_refused", "warn", "act refused", { act, ...who, hint });
}

function byFields({ uid, pid }: PeerCredentials): { by_uid: number; by_pid: number } {
  return { by_uid: uid, by_pid: pid };
}
