// Answers those who beat by the control socket (spec 16 sections 14 and 15): where the daemon takes
// beats, and whether one process may beat for another.
import type { PeerCredentials } from "../../ffi/peer.ts";
import { REJECT_REASONS } from "../base/reject_reason.ts";
import { NS_PER_MS } from "../base/time.ts";
import type {
  BeatAnswer,
  BeatRequest,
  BeatsDoor,
  DoorsAnswer,
  DoorsRequest,
} from "../control/beats_door.ts";
import type { Refusal } from "../control/request.ts";
import type { Listener } from "../listener/listener.ts";
import { UnixListener } from "../listener/unix.ts";
import { UnixStreamListener } from "../listener/unix_stream.ts";
import { ACCEPTED, ASKED_BYE } from "../observer/asked_beats.ts";
import type { Observer } from "../observer/observer.ts";
import { type DescentFault, descentFault } from "../processes/descent.ts";
import type { GenerationClock } from "../processes/generation.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import { STATUS_CRITICAL, STATUS_DEGRADED, STATUS_OK } from "../wire/frame.ts";
import { policyOf } from "./explained_rule.ts";
import { explainedProcess } from "./explained_process.ts";
import type { LiveConfig } from "./live_config.ts";
import { ruleFinder } from "./member_rules.ts";

interface AskedBeatsOptions {
  readonly observer: Observer;
  readonly processes: ProcReader;
  readonly live: LiveConfig;
  readonly nowGeneration: GenerationClock;
}

/** A listener at a path, whose senders the kernel attests. */
type Door = UnixListener | UnixStreamListener;
type DoorKind = Door["kind"];

const STATUS_CODES = { ok: STATUS_OK, degraded: STATUS_DEGRADED, critical: STATUS_CRITICAL };

export class AskedBeatsDoor implements BeatsDoor {
  readonly #options: AskedBeatsOptions;

  constructor(options: AskedBeatsOptions) {
    this.#options = options;
  }

  doors(request: DoorsRequest, peer: PeerCredentials | undefined): DoorsAnswer | Refusal {
    const pathFor = (kind: DoorKind) => this.#listenerFor(peer, kind)?.path ?? null;
    const socket = pathFor("unix");
    const stream = pathFor("unix-stream");
    const notify = pathFor("notify");
    if (socket === null && stream === null && notify === null) return mayNotBeat(peer);
    const thresholdNs = this.#thresholdNs(request, peer!.pid);
    const threshold_ms = Math.floor(thresholdNs / NS_PER_MS);
    return { v: 1, socket, stream, notify, threshold_ms };
  }

  beat(
    { pid, status }: BeatRequest,
    peer: PeerCredentials | undefined,
  ): Promise<BeatAnswer | Refusal> | Refusal {
    return this.#ask(pid, STATUS_CODES[status], peer);
  }

  bye(pid: number, peer: PeerCredentials | undefined): Promise<BeatAnswer | Refusal> | Refusal {
    return this.#ask(pid, ASKED_BYE, peer);
  }

  /** `status` is a code of the wire, or ASKED_BYE. */
  #ask(
    pid: number,
    status: number,
    peer: PeerCredentials | undefined,
  ): Promise<BeatAnswer | Refusal> | Refusal {
    const { observer, processes, nowGeneration } = this.#options;
    const found = this.#listenerFor(peer);
    if (found === undefined) return mayNotBeat(peer);
    // Of it descends what it runs for a recovery.
    if (pid === process.pid) return ofDaemon(pid);
    const { pid: asker, uid, gid } = peer!;
    // Before the look: who had the pid then had it at this time, too.
    const askedGeneration = nowGeneration();
    const { observerInode } = observer;
    const fault = descentFault(processes, { asker, askerUid: uid, pid, observerInode });
    if (fault !== undefined) return foreign(pid, asker, fault);
    const { number: listenerNumber } = found;
    return new Promise((resolve) => {
      observer.ask({
        pid,
        uid,
        gid,
        status,
        listenerNumber,
        askedGeneration,
        done: (result) =>
          resolve(result === ACCEPTED ? { v: 1, pid, accepted: true } : notTaken(pid, result)),
      });
    });
  }

  /** The first listener of a kind in force at which the peer may beat. */
  #listenerFor(
    peer: PeerCredentials | undefined,
    kind: DoorKind = "unix",
  ): { readonly number: number; readonly path: string } | undefined {
    const { listeners, listenersInForce } = this.#options.observer;
    if (peer === undefined) return undefined;
    for (const number of listenersInForce) {
      const listener = listeners[number]!;
      if (!isDoor(listener) || listener.kind !== kind) continue;
      const { allowList, path } = listener;
      if (allowList === undefined || allowList.allows(peer.uid, peer.gid)) return { number, path };
    }
    return undefined;
  }

  #thresholdNs({ name, comm, exe = "" }: DoorsRequest, pid: number): number {
    const { live, processes } = this.#options;
    const config = live.current;
    // A name that no rule has is announced: the threshold is that of the rule that allows it.
    const named = name === undefined ? undefined : config.agents.find((one) => one.name === name);
    if (named !== undefined) return policyOf(config, named).thresholdNs;
    const asker = explainedProcess(pid, config, processes);
    const facts =
      asker?.identity === undefined || comm === undefined
        ? asker
        : { ...asker, identity: { ...asker.identity, comm, exe, script: "" } };
    const rule = facts === undefined ? undefined : ruleFinder(config.agents)(facts);
    return policyOf(config, rule === undefined ? undefined : config.agents[rule.index]).thresholdNs;
  }
}

function isDoor(listener: Listener): listener is Door {
  return listener instanceof UnixListener || listener instanceof UnixStreamListener;
}

function mayNotBeat(peer: PeerCredentials | undefined): Refusal {
  const who = peer === undefined ? "a peer that the kernel does not attest" : `uid ${peer.uid}`;
  return {
    error: "not_permitted",
    text: `found ${who}; want one that a unix listener lets beat`,
    hint: "allow_uids of a [[listener]]",
  };
}

const FAULTS: Readonly<Record<DescentFault, string>> = {
  asker_gone: "has ended",
  no_such_process: "found no such process",
  other_user: "is of another user",
  other_namespace: "is in another pid namespace",
  no_descendant: "is no descendant of it",
};

function foreign(pid: number, asker: number, fault: DescentFault): Refusal {
  const text =
    fault === "no_such_process"
      ? `cannot beat for pid ${pid}: found no such process`
      : `cannot beat for pid ${pid}: pid ${asker} asks, and ${FAULTS[fault]}`;
  return {
    error: "not_permitted",
    text,
    hint: "a process beats for itself and for those it descends from: --for $$",
  };
}

function ofDaemon(pid: number): Refusal {
  return {
    error: "not_permitted",
    text: `cannot beat for pid ${pid}: it is the daemon, which does not watch itself`,
    hint: "varta-watch doctor",
  };
}

function notTaken(pid: number, reason: number): Refusal {
  const word = REJECT_REASONS[reason] ?? "not heard";
  return {
    error: "refused",
    text: `refused (${word}): a beat for pid ${pid}`,
    hint: `varta-watch explain ${pid}`,
  };
}
