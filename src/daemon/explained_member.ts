// The facts of one member for `explain` (spec 16 section 12): what its process is doing, who it is
// and how that is known. It reads some small files of /proc, about 0.3 ms.
import { factOf } from "../agents/match.ts";
import type { NameRefusal } from "../agents/announcing.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_TEXTS } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_MS, wholeMsFromNs, utcText } from "../base/time.ts";
import { u64Text } from "../base/u64.ts";
import { endNumbers } from "../base/wait_status.ts";
import type { Stall } from "../events/stall.ts";
import { exitedVerdict } from "../events/stall_verdict.ts";
import type { Observer } from "../observer/observer.ts";
import { GENERATION_NS } from "../processes/generation.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import { addressOf } from "../tracker/slots.ts";
import type { EndView, TracerView, UnwatchedView } from "../view/event_view.ts";
import type {
  ExplainedMember,
  ExplainedVerdict,
  ProofView,
  WhoView,
} from "../view/explain_view.ts";
import type { GoneMember } from "../view/gone_members.ts";
import type { StallNote } from "../view/stall_notes.ts";
import { saidView } from "../view/said_view.ts";
import { statusText } from "../wire/frame.ts";

export type ProcessFacts = Pick<
  ProcReader,
  "startTime" | "commOf" | "realUid" | "userName" | "identityOf"
>;

interface MemberReaderOptions {
  readonly observer: Observer;
  readonly processes: ProcessFacts;
  readonly nowNs: () => number;
  /** Unix time of observer time 0, in ms. */
  readonly unixMsAtStart: () => number;
  /** Why a member is not called what it announces; undefined = it is. */
  readonly nameRefusalOf: (facts: MemberFacts) => NameRefusal | undefined;
  /** Now as a start time of processes. */
  readonly nowGeneration: () => number;
}

/** A member, in the table or gone. */
interface Asked {
  readonly stall: Stall;
  readonly facts: MemberFacts;
  /** "" = it is on this machine. */
  readonly address: string;
  /** Undefined = it is not stalled. */
  readonly note: StallNote | undefined;
  readonly isStalled: boolean;
  /** Undefined = its process has not ended, as far as is known. */
  readonly ended: GoneMember | undefined;
  readonly isGone: boolean;
}

export class MemberReader {
  readonly #options: MemberReaderOptions;

  constructor(options: MemberReaderOptions) {
    this.#options = options;
  }

  time(observerNs: number): string {
    return utcText(observerNs, this.#options.unixMsAtStart());
  }

  /** As its rule was found by; where that was not kept, as it is now. */
  factsOf(slot: number): MemberFacts {
    const { observer, processes, nowNs } = this.#options;
    const { slots, table } = observer.tracker;
    const known = table.facts[slot];
    if (known !== undefined) return known;
    const pid = slots.pid[slot]!;
    const uid = slots.uid[slot]!;
    const isLocal = slots.origin[slot] === ORIGIN_KERNEL_ATTESTED;
    const identity = isLocal
      ? processes.identityOf(pid, slots.generation[slot]!, uid, Number.NaN, nowNs())
      : undefined;
    const user = processes.userName(uid, nowNs());
    const listener = observer.listeners[slots.listener[slot]!]!.name;
    const announced = table.announced[slot];
    return { pid, uid, user, identity, listener, address: addressOf(slots, slot), announced };
  }

  member(asked: Asked): ExplainedMember {
    const { stall, address, isStalled, isGone, ended } = asked;
    const { lastNs, refused, pid, observerNs } = stall;
    const { unbeaten, ...said } = this.#said(asked);
    const isLookedAt = isStalled || isGone || ended !== undefined;
    return {
      pid,
      source: address,
      verdict: isLookedAt ? this.#verdict(asked) : null,
      silence_ms: unbeaten === true ? 0 : wholeMsFromNs(saturatingSub(observerNs, lastNs)),
      last_beat:
        unbeaten === true
          ? null
          : {
              time: this.time(lastNs),
              number: u64Text(stall.lastNonceHi, stall.lastNonceLo),
              status: statusText(stall.status) as "ok" | "degraded" | "critical",
              from: address,
            },
      ...said,
      ...(unbeaten === true ? { unbeaten } : {}),
      refused,
      who: this.#who(asked),
      proof: this.#proof(stall, address),
    };
  }

  /** Of itself, by hello and bye, and at a notify listener. */
  #said({
    stall,
    facts,
    isGone,
  }: Asked): Pick<ExplainedMember, "goodbye" | "unbeaten" | "announced" | "said"> {
    const { observer, nameRefusalOf } = this.#options;
    const { slots, table } = observer.tracker;
    const slot = isGone ? -1 : observer.tracker.slotOf(stall.key);
    const name = facts.announced ?? "";
    const words = saidView(table.said[slot]);
    return {
      ...(words === null ? {} : { said: words }),
      ...(slot >= 0 && slots.saidGoodbye(slot)
        ? { goodbye: this.time(slots.goodbyeNs[slot]!) }
        : {}),
      ...(slot >= 0 && !slots.hasBeaten(slot) ? { unbeaten: true as const } : {}),
      ...(name === "" ? {} : { announced: { name, refused: nameRefusalOf(facts) ?? "" } }),
    };
  }

  #verdict({ stall, note, ended, isGone }: Asked): ExplainedVerdict {
    const { pid } = stall;
    const verdict = isGone || stall.verdict === undefined ? exitedVerdict(NaN) : stall.verdict;
    const { procState, wchan, freezerVersion, reason, cpuTicks } = verdict;
    const cpuMs = ((cpuTicks - (note?.cpuTicks ?? NaN)) * GENERATION_NS) / NS_PER_MS;
    const isCpuKnown = note !== undefined && !Number.isNaN(cpuMs);
    return {
      verdict: verdict.verdict,
      proc_state: procState,
      wchan,
      cpu_ms: isCpuKnown ? Math.max(0, cpuMs) : null,
      cpu_over_ms: isCpuKnown ? wholeMsFromNs(stall.observerNs - note.sinceNs) : null,
      tracer: verdict.tracerPid > 0 ? this.#tracer(verdict.tracerPid) : null,
      ended: endedAs(ended),
      end: this.#end(verdict.waitStatus, ended),
      end_source: endSource(verdict.waitStatus, ended),
      unwatched: this.#unwatched(ended),
      freezer: freezerVersion,
      replaced: this.#replaced(ended),
      pid_reused: isGone ? null : this.#reusedSince(stall, pid),
      reason,
    };
  }

  #tracer(pid: number): TracerView {
    const { processes, nowNs } = this.#options;
    const user = processes.userName(processes.realUid(pid), nowNs());
    return { pid, comm: processes.commOf(pid), user };
  }

  #end(waitStatus: number, ended: GoneMember | undefined): EndView | null {
    const { exitStatus, signal } = ended?.end ?? endNumbers(waitStatus);
    if (Number.isNaN(exitStatus) && Number.isNaN(signal)) return null;
    const endedNs = ended?.exit?.endedNs ?? ended?.end.endedNs ?? Number.NaN;
    return {
      time: Number.isNaN(endedNs) ? "" : this.time(endedNs),
      exit_status: Number.isNaN(exitStatus) ? null : exitStatus,
      signal: Number.isNaN(signal) ? null : signal,
    };
  }

  #unwatched(ended: GoneMember | undefined): UnwatchedView | null {
    const unwatched = ended?.exit?.unwatched ?? ended?.end.unwatched;
    if (unwatched === undefined) return null;
    return { after: this.time(unwatched.afterNs), before: this.time(unwatched.beforeNs) };
  }

  #replaced(ended: GoneMember | undefined): ExplainedVerdict["replaced"] {
    if (ended === undefined || !("byPid" in ended.end) || Number.isNaN(ended.end.byPid))
      return null;
    const { byPid, observerNs } = ended.end;
    const left_ms = wholeMsFromNs(Math.max(0, ended.leftNs));
    return { pid: byPid, time: this.time(observerNs), left_ms };
  }

  /** When the process started that has its pid, if that is another one; else null. */
  #reusedSince({ generation, origin, proven, lastNs }: Stall, pid: number): string | null {
    if (origin !== ORIGIN_KERNEL_ATTESTED || Number.isNaN(generation)) return null;
    const found = this.#options.processes.startTime(pid);
    if (Number.isNaN(found)) return null;
    const startedNs = this.#startedNs(found);
    // When it started is known to a tick of the clock, before or after.
    const isLater = startedNs - GENERATION_NS > lastNs;
    const isOther = found !== generation || (!proven && isLater);
    return isOther ? this.time(startedNs) : null;
  }

  #startedNs(generation: number): number {
    const { nowGeneration, nowNs } = this.#options;
    return nowNs() - (nowGeneration() - generation) * GENERATION_NS;
  }

  #who({ stall: { generation, uid }, facts }: Asked): WhoView {
    const since = Number.isNaN(generation) ? null : this.time(this.#startedNs(generation));
    return whoView({ ...facts, uid }, since);
  }

  #proof(stall: Stall, address: string): ProofView {
    const { origin, listener, proven, namespaceInode, innerPid } = stall;
    const { observer } = this.#options;
    const own = observer.observerInode;
    const isForeign = !Number.isNaN(namespaceInode) && namespaceInode !== own;
    return {
      origin: ORIGIN_TEXTS[origin],
      listener: observer.listeners[listener]?.name ?? "",
      proven,
      namespace: isForeign ? { inode: namespaceInode, own_inode: own, inner_pid: innerPid } : null,
      others_beating: address === "" ? null : this.#othersBeating(address, stall.key),
    };
  }

  /** Members from one address that are not silent, but for one. */
  #othersBeating(address: string, key: number): number {
    const { tracker } = this.#options.observer;
    const { slots } = tracker;
    let count = 0;
    for (let slot = 0; slot < tracker.len; slot++) {
      if (slots.origin[slot] === ORIGIN_KERNEL_ATTESTED || !slots.isBeating(slot)) continue;
      if (slots.key[slot] !== key && addressOf(slots, slot) === address) count += 1;
    }
    return count;
  }
}

/** `since`: when it started; null = that is not known. */
export function whoView(facts: MemberFacts, since: string | null): WhoView {
  const { identity, user, uid } = facts;
  return {
    unit: factOf("unit", facts),
    container: identity?.container ?? "",
    user,
    uid: Number.isNaN(uid) ? null : uid,
    comm: identity?.comm ?? "",
    script: identity?.script ?? "",
    since,
  };
}

function endedAs(ended: GoneMember | undefined): ExplainedVerdict["ended"] {
  if (ended === undefined) return null;
  return "how" in ended.end ? ended.end.how : ended.end.reason;
}

function endSource(
  waitStatus: number,
  ended: GoneMember | undefined,
): ExplainedVerdict["end_source"] {
  const { exitStatus, signal } = ended?.end ?? endNumbers(waitStatus);
  if (Number.isNaN(exitStatus) && Number.isNaN(signal)) return null;
  return ended?.exit?.isBySystemd === true ? "systemd" : "pidfd";
}
