// The facts for `explain` (spec 16 section 12): of whom somebody asks, how that one is, which rule
// is its own, what was done and what comes next; of a process that has never beaten, who it would
// be. It makes no sentences. All is read when it is asked, between two turns: about 0.5 ms, and two
// walks over the columns of the table.
import type { NameRefusal } from "../agents/announcing.ts";
import { existsSync } from "node:fs";
import type { AgentState } from "../agents/agent_state.ts";
import type { Mute } from "../agents/mutes.ts";
import type { MemberFacts } from "../agents/naming.ts";
import { saturatingSub } from "../base/saturating.ts";
import { NS_PER_MS, NS_PER_S, wholeMsFromNs } from "../base/time.ts";
import type { Stall } from "../events/stall.ts";
import type { CutOffMembers } from "../observer/cut_off.ts";
import type { Observer } from "../observer/observer.ts";
import { machineLoad } from "../processes/machine_load.ts";
import type { Recovery } from "../recovery/recovery.ts";
import { memberState } from "../tracker/member_state.ts";
import { addressOf } from "../tracker/slots.ts";
import type { EventLog } from "../view/event_log.ts";
import type { EventView } from "../view/event_view.ts";
import type {
  DoneRow,
  ExplainedMember,
  ExplainView,
  MassSilence,
  NextRow,
  StrangerView,
} from "../view/explain_view.ts";
import type { GoneMember, GoneMembers } from "../view/gone_members.ts";
import type { Found, MemberSearch, Unfound } from "../view/member_search.ts";
import type { StallNote, StallNotes } from "../view/stall_notes.ts";
import type { MuteView } from "../view/status_view.ts";
import { doneRows, nextOfBeating, nextOfGuarded, nextOfStalled } from "./explained_acts.ts";
import { MemberReader, type ProcessFacts } from "./explained_member.ts";
import { ruleOfName, ruleView } from "./explained_rule_view.ts";
import type { Strangers } from "./explained_stranger.ts";
import type { FilePlaces, LiveConfig, ReadPlaces } from "./live_config.ts";
import type { Muting } from "./muting.ts";

interface ExplainingOptions {
  readonly observer: Observer;
  readonly recovery: Pick<Recovery, "planOf" | "gatesOf" | "runningOf">;
  readonly muting: Muting;
  readonly search: MemberSearch;
  readonly events: Pick<EventLog, "historyOf">;
  readonly notes: StallNotes;
  readonly gone: GoneMembers;
  readonly strangers: Pick<Strangers, "view">;
  readonly processes: ProcessFacts;
  readonly live: LiveConfig;
  readonly cutOff?: Pick<CutOffMembers, "mayBe" | "isHeld" | "isBefore"> | undefined;
  readonly expectedOf: (agent: number) => number;
  readonly nowNs: () => number;
  /** Unix time of observer time 0, in ms. */
  readonly unixMsAtStart: () => number;
  /** Why a member is not called what it announces; undefined = it is. */
  readonly nameRefusalOf: (facts: MemberFacts) => NameRefusal | undefined;
  /** Now as a start time of processes. */
  readonly nowGeneration: () => number;
  readonly userName: (uid: number) => string;
}

/** Many agents that fall silent within a moment are rarely their own fault. */
const MASS_AGENTS_MIN = 5;
const MASS_NS_MAX = 10 * NS_PER_S;

/** When the alert AgentCrashLoop is raised (packaging/prometheus/varta-watch.rules.yml). */
const CRASHES_MAX = 5;
const CRASHES_NS = 3_600 * NS_PER_S;

/** Where the package puts it. */
const RUNBOOK = "/usr/share/doc/varta-watch/runbook.md";

export class Explaining {
  readonly #options: ExplainingOptions;
  readonly #reader: MemberReader;
  /** Where rules and listeners stand, as `#placed` has read it. */
  #places: FilePlaces = { rules: [], listeners: [] };
  #placed: ReadPlaces | undefined;

  constructor(options: ExplainingOptions) {
    this.#options = options;
    this.#reader = new MemberReader(options);
  }

  /** Of an agent the worst member in full, and one line for each other that is not ok. */
  async explain(target: string): Promise<ExplainView | StrangerView | Unfound> {
    await this.#findPlaces();
    // Slots are those of this moment: nothing is awaited from here on.
    const { search, gone, strangers } = this.#options;
    const found = search.find(target);
    if (!("error" in found)) return this.#view(found);
    if (!/^[0-9]{1,10}$/.test(target)) return found;
    const ended = gone.ofPid(Number(target));
    return ended === undefined
      ? strangers.view(Number(target), this.#places)
      : this.#goneView(ended, []);
  }

  /** Once for each file that was loaded; another one may be meanwhile. */
  async #findPlaces(): Promise<void> {
    const { live } = this.#options;
    while (this.#placed !== live.readPlaces) {
      const read = live.readPlaces;
      this.#places = await read();
      this.#placed = read;
    }
  }

  #view(found: Found): ExplainView {
    const { gone } = this.#options;
    const slot = this.#worst(found.slots);
    if (slot !== undefined) {
      const view = this.#memberView(found, slot);
      const isMissing = !found.isMember && this.#emptyState(found.name) === "missing";
      return isMissing && view.state !== "stalled"
        ? { ...view, state: "missing", ...missingPart(view.history) }
        : view;
    }
    const last = gone.lastOf(found.name);
    const state = this.#emptyState(found.name);
    return last !== undefined && state === "gone"
      ? this.#goneView(last, found.slots)
      : this.#emptyView(found.name, state);
  }

  #memberView({ name, slots: found }: Found, slot: number): ExplainView {
    const { observer, muting, events, notes, gone, live, recovery, nowNs } = this.#options;
    const { slots, table } = observer.tracker;
    const reader = this.#reader;
    const now = nowNs();
    const time = (ns: number): string => reader.time(ns);
    const stall = observer.silence.stalls.ofSlot(slot, now);
    const mute = muting.mutes.muteOf(stall, now);
    const isStalled = slots.isLatched(slot);
    const note = isStalled ? notes.noteOf(stall.key, stall.generation) : undefined;
    const facts = reader.factsOf(slot);
    const known = gone.ofPid(stall.pid);
    const isEnded = slots.hasEnded(slot) && known?.last.generation === stall.generation;
    const ended = isEnded ? known : undefined;
    const address = addressOf(slots, slot);
    const history = events.historyOf(name);
    const lane = table.lanes;
    const rule = ruleView(live.current, facts, this.#places, {
      thresholdNs: lane.thresholdOf(slot),
    });
    const { guarded } = observer.silence;
    // What is known to have ended is no silence.
    const guard = isEnded ? undefined : guarded?.view;
    const { forgetAfterNs } = live.current.tracker;
    const options = { recovery, forgetAfterNs, guard, time };
    const isHeld = guard !== undefined && guarded!.isHeld(stall.key);
    const asked = { stall, facts, address, note, isStalled, ended, isGone: false };
    const member = { ...reader.member(asked), ...this.#cutOffField(slot, asked) };
    const since = note === undefined ? null : time(note.sinceNs);
    const done = note === undefined ? [] : doneRows(note, history, live.current.recovery, time);
    return {
      ...this.#agentView(name, found, now),
      state: memberState(table, slot, now),
      member,
      since,
      muted: mute === undefined ? null : this.#muteView(mute),
      mass: note === undefined ? null : this.#mass(note.sinceNs),
      done,
      next: isStalled
        ? nextOfStalled(stall, note, mute, options)
        : isHeld
          ? [nextOfGuarded("verdict", guard, time)]
          : nextOfBeating(lane.deadlineOf(slot), mute, time),
      rule,
      history,
      others: this.#others(
        found.filter((one) => one !== slot),
        now,
      ),
      runbook: isHeld
        ? anchored("vartaguardactive")
        : isStalled
          ? runbookOf(member.verdict?.verdict ?? "unknown", done)
          : "",
    };
  }

  #cutOffField(
    slot: number,
    { stall, note }: { readonly stall: Stall; readonly note: StallNote | undefined },
  ): Pick<ExplainedMember, "cut_off"> {
    const { cutOff } = this.#options;
    // A stall that lasts since before the start has another reason.
    const isOlder = note !== undefined && cutOff?.isBefore(note.sinceNs) === true;
    if (isOlder || cutOff?.mayBe(stall) !== true) return {};
    return { cut_off: cutOff.isHeld(slot) ? "held" : "silent" };
  }

  /** Of one that has left the table. */
  #goneView(gone: GoneMember, found: readonly number[]): ExplainView {
    const { events, live, nowNs } = this.#options;
    const { last, isStalled, name, end, exit } = gone;
    const reader = this.#reader;
    const now = nowNs();
    const facts = gone.facts ?? noFacts(last.pid, last.uid);
    const history = events.historyOf(name);
    const isReplaced = "reason" in end && end.reason === "replaced";
    const asked = {
      ...{ stall: last, facts, address: "", note: undefined },
      ...{ isStalled, ended: gone, isGone: true },
    };
    const exits = this.#options.gone.uncleanSince(name, now - CRASHES_NS);
    const loop: NextRow = {
      ...{ what: "crash_loop", exits, limit: CRASHES_MAX },
      window_ms: CRASHES_NS / NS_PER_MS,
    };
    return {
      ...this.#agentView(name, found.length > 0 ? found : this.#slotsOf(name), now),
      state: "gone",
      member: reader.member(asked),
      since: null,
      muted: null,
      mass: null,
      done: [
        ...(exit === undefined ? [] : [reported("exit", reader.time(exit.observerNs))]),
        ...ofPid(history, last.pid),
        ...("how" in end
          ? []
          : [reported(isReplaced ? "replaced" : "gone", reader.time(end.observerNs))]),
      ].sort((one, other) => Date.parse(one.time) - Date.parse(other.time)),
      next: [isReplaced ? loop : { what: "nothing" }],
      rule: ruleView(live.current, facts, this.#places, { thresholdNs: last.thresholdNs }),
      history,
      others: this.#others(this.#slotsOf(name), now),
      runbook: "",
    };
  }

  #emptyView(name: string, state: AgentState): ExplainView {
    const { events, live, muting, nowNs } = this.#options;
    const now = nowNs();
    const mute = muting.mutes.muteOfName(name, now);
    const history = events.historyOf(name);
    return {
      ...this.#agentView(name, [], now),
      state,
      member: null,
      since: null,
      muted: mute === undefined ? null : this.#muteView(mute),
      mass: null,
      done: [],
      next: [],
      rule: ruleOfName(live.current, name, this.#places),
      history,
      others: [],
      runbook: "",
      ...(state === "missing" ? missingPart(history) : {}),
    };
  }

  #agentView(
    name: string,
    found: readonly number[],
    now: number,
  ): Pick<ExplainView, "v" | "time" | "agent" | "beating" | "members" | "expected"> {
    const { observer, expectedOf } = this.#options;
    const { slots, table } = observer.tracker;
    const beating = found.filter((one) => slots.isBeating(one));
    const number = table.agents.numberOf(name);
    const expected = number === undefined ? 0 : expectedOf(number);
    return {
      v: 1,
      time: this.#reader.time(now),
      agent: name,
      beating: beating.length,
      members: found.length,
      expected: expected > 0 ? expected : null,
    };
  }

  /** Of an agent without members. Before its grace is over an expected one is not missing. */
  #emptyState(name: string): AgentState {
    const { search, observer, expectedOf } = this.#options;
    const state = search.stateOf({ kind: "agent", name });
    const number = observer.tracker.table.agents.numberOf(name);
    return state === "gone" && number !== undefined && expectedOf(number) > 0 ? "new" : state;
  }

  #slotsOf(name: string): number[] {
    const { tracker } = this.#options.observer;
    const number = tracker.table.agents.numberOf(name);
    const found: number[] = [];
    for (let slot = 0; slot < tracker.len; slot++)
      if (tracker.slots.agent[slot] === number) found.push(slot);
    return found;
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

  /** Those of them that are not ok. */
  #others(found: readonly number[], now: number): ExplainView["others"] {
    const { slots, table } = this.#options.observer.tracker;
    return found
      .map((slot) => ({ pid: slots.pid[slot]!, state: memberState(table, slot, now) }))
      .filter(({ state }) => state !== "ok");
  }

  #mass(sinceNs: number): MassSilence | null {
    const near = this.#options.notes.beganNear(sinceNs, MASS_NS_MAX);
    if (near.size < MASS_AGENTS_MIN) return null;
    const times = [...near.values()];
    const { load, memoryUsed, stallMs } = machineLoad();
    return {
      agents: near.size,
      within_ms: wholeMsFromNs(Math.max(...times) - Math.min(...times)),
      load,
      memory_used: Number.isNaN(memoryUsed) ? null : memoryUsed,
      stall_ms: Number.isNaN(stallMs) ? null : stallMs,
      stall_over_ms: MASS_NS_MAX / NS_PER_MS,
    };
  }

  #muteView({ beganNs, untilNs, by, reason }: Mute): MuteView {
    const user = this.#options.userName(by.uid);
    const [since, until] = [this.#reader.time(beganNs), this.#reader.time(untilNs)];
    return { since, until, by: user, reason };
  }
}

/** Of an agent that is missing, whether members of it beat or not. */
function missingPart(
  history: readonly EventView[],
): Pick<ExplainView, "since" | "done" | "runbook"> {
  const time = history.find(({ kind }) => kind === "missing")?.time;
  return {
    since: time ?? null,
    done: time === undefined ? [] : [{ what: "reported", time, as: "missing" }],
    runbook: anchored("agentmissing"),
  };
}

function noFacts(pid: number, uid: number): MemberFacts {
  return { pid, uid, user: "", identity: undefined, listener: "", address: "" };
}

function reported(as: "exit" | "gone" | "replaced", time: string): DoneRow {
  return { what: "reported", time, as };
}

/** That a process that is gone was reported, and what became of its recoveries, oldest first. */
function ofPid(history: readonly EventView[], pid: number): DoneRow[] {
  return history.toReversed().flatMap(({ kind, time, recovery, pid: of }): DoneRow[] => {
    if (of !== pid) return [];
    if (kind === "stall") return [{ what: "reported", time, as: "stall" }];
    if (recovery === undefined) return [];
    const { what, id, took_ms = 0, why = "", reason = "", plan = "", steps = 0 } = recovery;
    if (what === "began") return [{ what, time, id, plan, steps }];
    if (what === "helped") return [{ what, time, id, took_ms }];
    if (what === "not_helped") return [{ what, time, id, took_ms, why }];
    return what === "refused" ? [{ what, time, reason, ...(why && { why }) }] : [];
  });
}

/** The section of the gate that refused, else that of the verdict. */
function runbookOf(verdict: string, done: readonly DoneRow[]): string {
  const refused = done.findLast((row) => row.what === "refused");
  return anchored(refused?.what === "refused" ? refused.reason : verdict);
}

function anchored(section: string): string {
  return existsSync(RUNBOOK) ? `${RUNBOOK}#${section}` : "";
}
