// Gives the state file what is in it, and gives what was in it back to the parts of a daemon that
// has just started (spec 18), before a listener is read.
import { effectiveUid } from "../../ffi/process.ts";
import { VERSION } from "../base/build_info.ts";
import type { Config } from "../config/config.ts";
import { REAL_FILE_CALLS } from "../files/append_file.ts";
import { LockedError } from "../files/lock_file.ts";
import { SecureUdpListener } from "../listener/secure_udp.ts";
import type { SenderTable } from "../listener/sender_table.ts";
import { EndedMeanwhile } from "../processes/ended_meanwhile.ts";
import type { FiredEntry } from "../recovery/fired_entry.ts";
import type { FiredJournal } from "../recovery/fired_journal.ts";
import type { NotedState } from "../recovery/fired_notes.ts";
import { machineBootId } from "../processes/boot_id.ts";
import { hereAndNow } from "../snapshot/here.ts";
import type { ReadState } from "../snapshot/decoder.ts";
import type { AuditHeadRecord, StateRow } from "../snapshot/records.ts";
import type { RestoredMembers } from "../snapshot/restored_members.ts";
import { monotonicNs } from "./monotonic.ts";
import type { Parts } from "./parts.ts";
import { nameRestored } from "./restored_names.ts";
import { type RestoredState, restoreState } from "./restored_state.ts";
import { decidedFromNs, missingRecords, stallRecordOf } from "./restored_stalls.ts";
import { StartError } from "./start_error.ts";
import { openStateJournal } from "./state_journal.ts";
import { StateKeeping } from "./state_keeping.ts";
import { beatsTaken, stateMark } from "./state_mark.ts";
import { statePlace } from "../config/state_place.ts";
import { type StateParts, stateRows } from "./state_rows.ts";
import { toldRows } from "./told_records.ts";

interface StateOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly auditHead: () => AuditHeadRecord | undefined;
}

export interface OpenState {
  readonly keeping: StateKeeping;
  /**
   * What was given back, until all of it is told: of many members it is much memory. Undefined =
   * there was no state.
   */
  restored: RestoredState | undefined;
  /** Of recoveries that the next daemon must know of. */
  readonly journal: FiredJournal | undefined;
  readonly noted: NotedState;
  readonly older: readonly FiredEntry[];
}

/** Undefined = nothing is kept. Throws `StartError`. */
export function openState(parts: Parts, options: StateOptions): OpenState | undefined {
  const { config, env, auditHead } = options;
  const place = statePlace(config, env);
  if (place === undefined) return undefined;
  parts.stateSeen.wanted(place.path);
  const kept = keptParts(parts, auditHead);
  const rows = (isFinal: boolean): Iterable<StateRow> =>
    stateRows(kept, { ...here(parts), version: VERSION, isFinal });
  const keeping = openKeeping(place.path, {
    isDefault: !place.isNamed,
    ownerUid: effectiveUid(),
    calls: REAL_FILE_CALLS,
    rows,
    mark: () => stateMark(parts, auditHead()?.seq ?? 0),
    beats: () => beatsTaken(parts.observer),
    monotonicNs,
    isBusy: () => parts.observer.lastPumpCutOff,
    log: parts.log,
    refused: (reason) => parts.stateSeen.refused(reason),
  });
  if (keeping === undefined) return undefined;
  parts.stateSeen.kept(keeping);
  parts.metrics.show(keeping.counters);
  const { found } = keeping;
  const restored = found && restore(found, parts, config);
  const { path } = place;
  const ownerUid = effectiveUid();
  return {
    keeping,
    restored,
    ...openStateJournal({ path, auditFile: config.audit.file, ownerUid, log: parts.log }),
    noted: {
      bootId: machineBootId(),
      isSameBoot: restored === undefined || restored.otherBoot === "",
      moment: restored?.moment,
    },
  };
}

function openKeeping(
  path: string,
  options: Omit<Parameters<typeof StateKeeping.open>[0], "path">,
): StateKeeping | undefined {
  try {
    return StateKeeping.open({ path, ...options });
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    const { holderPid, path: lock } = error;
    const who = Number.isNaN(holderPid) ? "another process" : `pid ${holderPid}`;
    throw new StartError(
      `cannot keep the state in ${path}: ${who} holds ${lock}`,
      "stop that daemon first, or give this one another path with state.file",
    );
  }
}

function here({ clock }: Pick<Parts, "clock">) {
  return hereAndNow(clock.nowNs(), Date.now());
}

function restore(state: ReadState, parts: Parts, config: Config): RestoredState {
  const { observer, recovery, muting, listenerNames, processes, identification } = parts;
  const now = here(parts);
  const ended = new EndedMeanwhile(processes, monotonicNs);
  // Who falls silent together after that may only have missed the daemon.
  observer.silence.guarded?.guard.saw("restarted", now.observerNs);
  const restored = restoreState(
    state,
    {
      table: observer.tracker.table,
      mutes: muting.mutes,
      history: recovery.history,
      storm: recovery.storm,
      senders: secureSenders(parts),
      listenerNumber: (name) => {
        const number = listenerNames.indexOf(name);
        return number < 0 ? undefined : number;
      },
      hasEnded: (pid, startTime) => ended.hasEnded(pid, startTime),
    },
    {
      here: now,
      isBoottime: config.observer.clockSource === "boottime",
      instantNs: monotonicNs(),
    },
  );
  const { members } = restored;
  nameRestored(members, identification, now.observerNs);
  holdRestored(parts, members, now.observerNs);
  const slots = runningSlots(members);
  parts.cutOff?.begin(slots, madeAnew(parts, config), now.observerNs);
  if (restored.guard !== undefined)
    observer.silence.guarded?.restore(
      restored.guard,
      now.observerNs,
      longestWindowNs(parts, slots, config),
    );
  return restored;
}

function runningSlots({ rowOf, diedUnseen }: RestoredMembers): Int32Array {
  const slots = new Int32Array(rowOf.length);
  let count = 0;
  for (let slot = 0; slot < slots.length; slot++)
    if (diedUnseen[rowOf[slot]!] === 0) slots[count++] = slot;
  return slots.subarray(0, count);
}

/** No window of the guard is longer: that of the configuration, or a threshold of a member. */
function longestWindowNs(
  { observer }: Pick<Parts, "observer">,
  slots: Int32Array,
  { guard }: Config,
): number {
  let longestNs = guard.windowNs ?? 0;
  for (const slot of slots) longestNs = Math.max(longestNs, observer.tracker.thresholdOf(slot));
  return longestNs;
}

/** What a mute held goes by the name of its agent whether a mute holds it still. */
function holdRestored(
  { observer, recovery }: Parts,
  members: RestoredMembers,
  nowNs: number,
): void {
  if (!members.haveStalls) return;
  const isStalled = members.rows.u8("isStalled");
  for (let slot = 0; slot < members.length; slot++) {
    if (isStalled[members.rowOf[slot]!] === 0) continue;
    const { record, diedUnseen } = members.at(slot);
    if (record.held === "") continue;
    const stall = observer.silence.stalls.rowOf(slot, nowNs);
    const fromNs = decidedFromNs(stall, diedUnseen || record.hasEnded, nowNs);
    recovery.held.restore(stall, record.held === "told", fromNs);
  }
}

/** The numbers of the listeners to which whoever was connected no longer is. */
function madeAnew({ kept }: Parts, { listeners }: Config): ReadonlySet<number> {
  const numbers = listeners.flatMap((one, number) =>
    // Of a stream the connections end with the process.
    one.kind === "unix-stream" || (one.kind === "unix" && !kept.tookOver(one.path)) ? [number] : [],
  );
  return new Set(numbers);
}

function keptParts(parts: Parts, auditHead: StateOptions["auditHead"]): StateParts {
  const { observer, recovery, muting, listenerNames, live } = parts;
  const { table } = observer.tracker;
  return {
    table,
    names: {
      ruleName: (rule) => live.current.agents[rule]?.name ?? "",
      listenerName: (listener) => listenerNames[listener] ?? "",
      stallOf: (slot) => stallRecordOf(slot, parts),
      heldOf: (key) => recovery.held.wordOf(key),
    },
    mutes: muting.mutes,
    history: recovery.history,
    storm: recovery.storm,
    // A reload brings others.
    get senders() {
      return secureSenders(parts);
    },
    missing: () => missingRecords(parts),
    auditHead,
    graces: () => parts.expected.graces(),
    told: () => toldRows(parts),
    guard: () => observer.silence.guarded?.guard.memory(observer.clock.lastNs),
  };
}

/** By the names of their listeners. */
function secureSenders({ observer, listenerNames }: Parts): ReadonlyMap<string, SenderTable> {
  const senders = new Map<string, SenderTable>();
  for (const number of observer.listenersInForce) {
    const listener = observer.listeners[number];
    if (listener instanceof SecureUdpListener)
      senders.set(listenerNames[number]!, listener.senders);
  }
  return senders;
}
