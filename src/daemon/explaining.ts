// The facts for `explain` (spec 16 section 12): who a member is and how that is known, which rule
// is its own, what was seen and done, and what comes next. It makes no sentences, and what it reads
// of a process it reads when it is asked: about 0.3 ms for one member, between two turns.
import type { AgentState } from "../agents/agent_state.ts";
import type { Mute } from "../agents/mutes.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_TEXTS } from "../base/origin.ts";
import { saturatingSub } from "../base/saturating.ts";
import { msFromNs, NS_PER_MS, wholeMsFromNs } from "../base/time.ts";
import { u64Text } from "../base/u64.ts";
import { endNumbers } from "../base/wait_status.ts";
import type { Config } from "../config/config.ts";
import type { Stall } from "../events/stall.ts";
import type { StallVerdict } from "../events/stall_verdict.ts";
import type { Observer } from "../observer/observer.ts";
import { GENERATION_NS } from "../processes/generation.ts";
import type { IdentityReader } from "../processes/identity.ts";
import type { GateWord } from "../recovery/hand_gates.ts";
import type { Recovery } from "../recovery/recovery.ts";
import { memberState } from "../tracker/member_state.ts";
import type { EventLog } from "../view/event_log.ts";
import type { EventView } from "../view/event_view.ts";
import type {
  DoneRow,
  ExplainedMember,
  ExplainedRuleView,
  ExplainedVerdict,
  ExplainView,
  NextRow,
  ProofView,
  WhoView,
} from "../view/explain_view.ts";
import type { Found, MemberSearch, Unfound } from "../view/member_search.ts";
import type { MuteView } from "../view/status_view.ts";
import { statusText } from "../wire/frame.ts";
import { explainRule, matchText, OWN_PLAN, ownFact, ownMatch } from "./explained_rule.ts";
import type { LiveConfig } from "./live_config.ts";
import type { Muting } from "./muting.ts";

interface ExplainingOptions {
  readonly observer: Observer;
  readonly recovery: Pick<Recovery, "planOf" | "gatesOf">;
  readonly muting: Muting;
  readonly search: MemberSearch;
  readonly events: Pick<EventLog, "historyOf">;
  readonly identities: IdentityReader;
  readonly live: LiveConfig;
  readonly expectedOf: (agent: number) => number;
  readonly nowNs: () => number;
  /** Unix time of observer time 0, in ms. */
  readonly unixMsAtStart: () => number;
  /** Now as a start time of processes. */
  readonly nowGeneration: () => number;
  readonly userName: (uid: number) => string;
}

/** What is possible again when a gate opens. */
const PACE_ROWS: Readonly<Partial<Record<GateWord, "budget" | "storm_room" | "retry">>> = {
  gave_up: "budget",
  storm_limit: "storm_room",
  backing_off: "retry",
  debounced: "retry",
};

export class Explaining {
  readonly #options: ExplainingOptions;
  /** Where the rules of `#placed` stand. */
  #places: readonly string[] = [];
  #placed: Config | undefined;

  constructor(options: ExplainingOptions) {
    this.#options = options;
  }

  /** Of an agent the worst member in full, and one line for each other that is not ok. */
  async explain(target: string): Promise<ExplainView | Unfound> {
    await this.#findPlaces();
    // Slots are those of this moment: nothing is awaited from here on.
    const found = this.#options.search.find(target);
    return "error" in found ? found : this.#view(found);
  }

  /** Once for each configuration; another one may come into force meanwhile. */
  async #findPlaces(): Promise<void> {
    const { live } = this.#options;
    while (this.#placed !== live.current) {
      const config = live.current;
      this.#places = await live.rulePlaces();
      this.#placed = config;
    }
  }

  #view(found: Found): ExplainView {
    const { observer, muting, events, expectedOf, search, nowNs } = this.#options;
    const { slots, table } = observer.tracker;
    const slot = this.#worst(found.slots);
    const now = nowNs();
    const stall = slot === undefined ? undefined : observer.silence.stalls.ofSlot(slot, now);
    const mute =
      stall === undefined
        ? muting.mutes.muteOfName(found.name, now)
        : muting.mutes.muteOf(stall, now);
    const history = events.historyOf(found.name);
    const isStalled = slot !== undefined && slots.isLatched(slot);
    const began = isStalled ? lastStall(history, stall!.pid) : undefined;
    const beating = found.slots.filter((one) => !slots.isLatched(one) && !slots.hasEnded(one));
    const number = table.agents.numberOf(found.name);
    const expected = number === undefined ? 0 : expectedOf(number);
    const state =
      slot === undefined
        ? emptyState(search.stateOf({ kind: "agent", name: found.name }), expected)
        : memberState(table, slot, now);
    const others = found.slots
      .filter((one) => one !== slot)
      .map((one) => ({ pid: slots.pid[one]!, state: memberState(table, one, now) }))
      .filter((one) => one.state !== "ok");
    const rule = this.#rule(slot);
    return {
      v: 1,
      time: this.#time(now),
      agent: found.name,
      state,
      member: stall === undefined ? null : this.#member(slot!, stall, isStalled),
      since: began?.time ?? null,
      muted: mute === undefined ? null : this.#muteView(mute),
      beating: beating.length,
      members: found.slots.length,
      expected: expected > 0 ? expected : null,
      mass: null,
      done: stall === undefined ? [] : doneOf(history, stall.pid, began),
      next: stall === undefined ? [] : this.#next(slot!, stall, isStalled, mute),
      rule,
      history,
      others,
      runbook: "",
    };
  }

  /** The stalled one that has been silent for longest, else the one nearest to its threshold. */
  #worst(found: readonly number[]): number | undefined {
    const { observer, nowNs } = this.#options;
    const { slots, table } = observer.tracker;
    const ratioOf = (slot: number): number =>
      saturatingSub(nowNs(), slots.lastNs[slot]!) / table.lanes.thresholdOf(slot);
    let worst: number | undefined;
    for (const slot of found) {
      const isWorse =
        worst === undefined ||
        Number(slots.isLatched(slot)) - Number(slots.isLatched(worst)) > 0 ||
        (slots.isLatched(slot) === slots.isLatched(worst) && ratioOf(slot) > ratioOf(worst));
      if (isWorse) worst = slot;
    }
    return worst;
  }

  #member(slot: number, stall: Stall, isStalled: boolean): ExplainedMember {
    const { verdict, lastNs, source, refused, pid } = stall;
    return {
      pid,
      source,
      verdict: isStalled && verdict !== undefined ? this.#verdict(verdict) : null,
      silence_ms: wholeMsFromNs(saturatingSub(stall.observerNs, lastNs)),
      last_beat: {
        time: this.#time(lastNs),
        number: u64Text(stall.lastNonceHi, stall.lastNonceLo),
        status: statusText(stall.status) as "ok" | "degraded" | "critical",
        from: source,
      },
      refused,
      who: this.#who(slot, stall),
      proof: this.#proof(stall),
    };
  }

  #verdict(verdict: StallVerdict): ExplainedVerdict {
    const { tracerPid, waitStatus, procState, wchan, freezerVersion, reason } = verdict;
    const { exitStatus, signal } = endNumbers(waitStatus);
    const isKnown = !Number.isNaN(waitStatus);
    const end = {
      time: "",
      exit_status: Number.isNaN(exitStatus) ? null : exitStatus,
      signal: Number.isNaN(signal) ? null : signal,
    };
    return {
      verdict: verdict.verdict,
      proc_state: procState,
      wchan,
      cpu_ms: null,
      cpu_over_ms: null,
      tracer: tracerPid > 0 ? { pid: tracerPid, comm: "", user: "" } : null,
      end: isKnown ? end : null,
      end_source: null,
      freezer: freezerVersion,
      replaced: null,
      pid_reused: null,
      reason,
    };
  }

  /** The facts of a member as its rule was found by. */
  #facts(slot: number): MemberFacts {
    const { observer, identities, nowNs } = this.#options;
    const { slots } = observer.tracker;
    const pid = slots.pid[slot]!;
    const uid = slots.uid[slot]!;
    const isLocal = slots.origin[slot] === ORIGIN_KERNEL_ATTESTED;
    const identity = isLocal
      ? identities.identityOf(pid, slots.generation[slot]!, uid, Number.NaN, nowNs())
      : undefined;
    const user = identities.userName(uid, nowNs());
    const listener = observer.listeners[slots.listener[slot]!]!.name;
    return { pid, uid, user, identity, listener, address: "" };
  }

  #who(slot: number, { generation, uid }: Stall): WhoView {
    const { identity, user } = this.#facts(slot);
    const { nowGeneration, nowNs } = this.#options;
    const ageNs = (nowGeneration() - generation) * GENERATION_NS;
    return {
      unit: identity?.unit ?? "",
      container: identity?.container ?? "",
      user,
      uid: Number.isNaN(uid) ? null : uid,
      comm: identity?.comm ?? "",
      script: identity?.script ?? "",
      since: Number.isNaN(ageNs) ? null : this.#time(nowNs() - ageNs),
    };
  }

  #proof({ origin, listener, proven, namespaceInode, innerPid }: Stall): ProofView {
    const { observer } = this.#options;
    const own = observer.observerInode;
    const isForeign = !Number.isNaN(namespaceInode) && namespaceInode !== own;
    return {
      origin: ORIGIN_TEXTS[origin],
      listener: observer.listeners[listener]!.name,
      proven,
      namespace: isForeign ? { inode: namespaceInode, own_inode: own, inner_pid: innerPid } : null,
      others_beating: null,
    };
  }

  #next(slot: number, stall: Stall, isStalled: boolean, mute: Mute | undefined): NextRow[] {
    const { observer, recovery, live } = this.#options;
    const { table } = observer.tracker;
    if (!isStalled) return [{ what: "deadline", time: this.#time(table.lanes.deadlineOf(slot)) }];
    if (mute !== undefined) return [{ what: "mute_ends", time: this.#time(mute.untilNs) }];
    const next: NextRow[] = [];
    const plan = recovery.planOf(stall);
    const gates = plan.isEmpty ? [] : recovery.gatesOf(stall, stall.observerNs);
    const shut = gates.filter(({ isOpen }) => !isOpen);
    // What another gate refuses does not come when its pace allows it.
    if (shut.every(({ isPace }) => isPace))
      for (const { gate, untilNs } of shut) {
        const what = PACE_ROWS[gate];
        if (what === undefined || untilNs === undefined) continue;
        if (plan.settings.retry) next.push({ what, time: this.#time(untilNs) });
      }
    if (stall.origin !== ORIGIN_KERNEL_ATTESTED)
      next.push({ what: "forgotten", after_ms: msFromNs(live.current.tracker.forgetAfterNs) });
    return next;
  }

  #rule(slot: number | undefined): ExplainedRuleView {
    const config = this.#options.live.current;
    const facts: MemberFacts =
      slot === undefined
        ? { pid: 0, uid: Number.NaN, user: "", identity: undefined, listener: "", address: "" }
        : this.#facts(slot);
    const known = this.#places;
    const explained = explainRule(config, facts, known);
    const { rule, nearest, failed, policy, count } = explained;
    const shown = rule ?? nearest;
    return {
      number: rule === undefined ? null : rule.index + 1,
      place: shown?.place ?? "",
      match: shown === undefined ? "" : matchText(shown.agent.match),
      count,
      failed: failed.map(({ rule: index, field, found, globs }) => ({
        number: index + 1,
        place: known[index] ?? "",
        field,
        found,
        wanted: globs,
      })),
      threshold_ms: policy.thresholdNs / NS_PER_MS,
      late_ms: policy.lateNs === undefined ? null : policy.lateNs / NS_PER_MS,
      grace_ms: policy.graceNs / NS_PER_MS,
      expect: policy.expect ?? null,
      on_exit: policy.onExit,
      plan: policy.plan === OWN_PLAN ? "" : policy.plan,
      listener_place: "",
      named_by: explained.isNamedByRule ? "" : (ownFact(facts) ?? ""),
      suggestion: ownMatch(facts),
    };
  }

  #muteView({ beganNs, untilNs, by, reason }: Mute): MuteView {
    const user = this.#options.userName(by.uid);
    return { since: this.#time(beganNs), until: this.#time(untilNs), by: user, reason };
  }

  #time(observerNs: number): string {
    return new Date(this.#options.unixMsAtStart() + msFromNs(observerNs)).toISOString();
  }
}

/** Of an agent without members. Before its grace is over an expected one is not missing. */
function emptyState(state: AgentState, expected: number): AgentState {
  return state === "gone" && expected > 0 ? "new" : state;
}

/** The stall that lasts, if it is not too long ago to be kept. */
function lastStall(history: readonly EventView[], pid: number): EventView | undefined {
  return history.find((event) => event.kind === "stall" && event.pid === pid);
}

/** What was done about the stall that lasts, the oldest first. */
function doneOf(
  history: readonly EventView[],
  pid: number,
  began: EventView | undefined,
): DoneRow[] {
  const since = began === undefined ? [] : history.slice(0, history.indexOf(began));
  const done = since.reverse().flatMap((event) => (event.pid === pid ? doneRow(event) : []));
  if (done.length > 0 || began === undefined) return done;
  return [{ what: "reported", time: began.time, as: "stall" }];
}

function doneRow({ time, recovery }: EventView): DoneRow[] {
  if (recovery === undefined) return [];
  const { id, what, plan = "", step = 0, steps = 0, kind, target = "", result = "" } = recovery;
  switch (what) {
    case "began":
      return [{ what, time, id, plan, steps }];
    case "step":
    case "done": {
      if (step === 0) return [];
      const action = kind === "wait" ? `wait ${target}` : target || `${kind}`;
      return [{ what: "step", time, step, action, result }];
    }
    case "helped":
      return [{ what, time, id, took_ms: recovery.took_ms ?? 0 }];
    case "refused":
    case "held":
      return [{ what, time, reason: recovery.reason ?? "" }];
    case "not_helped":
      return [];
    default:
      return what satisfies never;
  }
}
