// Whether daemon and model agree after a turn: what was reported, every slot of the tracker, and
// the accounting of every listener after each turn; the metrics page less often, since it costs
// more than a turn.
import { OUTCOME_LABELS } from "../../src/events/outcome_words.ts";
import { REJECT_REASON_COUNT, REJECT_REASONS } from "../../src/base/reject_reason.ts";
import { wordsOf } from "../observer/guard_world.ts";
import { type Page, parsePage, sampleAt, sumOf } from "../metrics/page.ts";
import { renderPage } from "../metrics/fixture.ts";
import type { ReferenceSlot } from "../reference/tracker.ts";
import type { Daemon } from "./daemon.ts";
import { datagramsOf, TURN_HAS_WORK_LEFT } from "../../src/daemon/turn_flags.ts";
import { same, sameList, SimulationFailure } from "./failure.ts";
import type { Model } from "./model.ts";

const LATCH = 4;
const HAS_REGULAR = 1;
const HAS_TERMINAL = 2;
const PROVEN = 8;

/** Everything that is compared after every turn. */
export function compareTurn(daemon: Daemon, model: Model, turn: number): void {
  const { recorder, observer } = daemon;
  const expected = model.observer;
  sameList("event row", expected.rows, recorder.rows);
  same("datagrams consumed", model.consumed, datagramsOf(turn));
  same("identity look-ups", expected.lookups, daemon.reader.lookups);
  sameList("stall", model.stalls, recorder.stalls);
  sameList("stall told to a person", model.stalls, recorder.reportedStalls);
  sameList("guard", model.guardTold, guardWords(daemon));
  sameList("late", expected.lates, recorder.exportedLates);
  sameList("late told to a person", expected.lates, recorder.lates);
  sameList("recovery outcome", model.recovery.outcomes, recorder.outcomes);
  same("requests to the system", "", model.recovery.unexpectedRequests());
  sameList("return told to a person", resumptions(expected.rows), recorder.resumptions);
  sameList("conflict told to a person", knownConflicts(expected.rows), recorder.conflicts);
  sameList("slow stage", model.slowStages, recorder.slowStages);
  sameList("removed pid", model.removed.map(String), recorder.removed.map(String));
  sameList("exported line", model.exported.lines, recorder.takeExported());
  same("observer time", expected.nowNs, daemon.clock.lastNs);
  same("stalls left", expected.stalls.length, observer.silence.stalls.unread);
  same("work left", model.hasWorkLeft, (turn & TURN_HAS_WORK_LEFT) !== 0);
  same("children outstanding", model.recovery.children.length, daemon.recovery.outstandingCount);
  compareAccounting(daemon, model);
  compareTracker(daemon, model);
}

function guardWords({ guard }: Daemon): string[] {
  return guard?.changes.splice(0).map(wordsOf) ?? [];
}

/** The page as a scraper reads it. */
export function comparePage(daemon: Daemon, model: Model): void {
  const page = parsePage(renderPage(daemon.metrics, "text", daemon.clock.lastNs));
  const expected = model.metrics.expectedSamples(model.observer, model.recovery);
  for (const [name, value] of expected) same(`sample ${name}`, value, sampleAt(page, name));
  for (const [name, value] of page.samples) {
    const isPid = name.includes('{pid="');
    const isRecovery = name.startsWith("varta_recovery_") && !/_(bucket|sum)/.test(name);
    if ((isPid || isRecovery) && !expected.has(name)) {
      if (isPid || value !== 0) throw new SimulationFailure(`sample ${name}`, "nothing", value);
    }
  }
  compareAgents(page, model);
  daemon.recorder.ledger?.compare(page);
}

/** The rows of a name without members leave after so long, and what they counted with them. */
const ROWS_KEPT_NS = 3_600e9;

/** Whatever names agents have, and how many of them have rows: together they have everything. */
function compareAgents(page: Page, model: Model): void {
  const { observer, recovery, metrics } = model;
  const { slots } = observer.tracker;
  const accepted = observer.links.reduce((sum, { account }) => sum + account.accepted, 0);
  const inState = (state: string) => sumWith(page, "varta_agents{", `state="${state}"`);
  const counted = (what: string, expected: number, found: number) => {
    const mayHaveLeft = observer.nowNs >= ROWS_KEPT_NS;
    same(`${what} of all agents`, expected, mayHaveLeft ? Math.max(expected, found) : found);
  };
  counted("beats", accepted - observer.greetings, sumOf(page, "varta_agent_beats_total"));
  counted("stalls", metrics.stallsTold, sumOf(page, "varta_agent_stalls_total"));
  same("stalls by listener", metrics.stallsTold, sumOf(page, "varta_stalls_seen_total"));
  same("returns by listener", metrics.resumesTold, sumOf(page, "varta_resumes_seen_total"));
  same("members of all agents", slots.length, sumOf(page, "varta_agent_members"));
  const beating = slots.filter((slot) => !slot.latched && !slot.unbeaten && !slot.saidGoodbye);
  same("beating", beating.length, sumOf(page, "varta_agent_members_beating"));
  const awakeNs = observer.tracker.awakeNs(observer.nowNs);
  for (const state of ["stalled", "critical", "late", "degraded", "new", "ok"]) {
    const members = slots.filter((slot) => stateOf(slot, awakeNs) === state);
    same(`members ${state}`, members.length, inState(state));
  }
  for (const outcome of OUTCOME_LABELS) {
    const expected = recovery.totals.get(`varta_recovery_outcomes_total{outcome="${outcome}"}`);
    const found = sumWith(page, "varta_agent_recoveries_total{", `outcome="${outcome}"`);
    counted(`recoveries: ${outcome}`, expected ?? 0, found);
  }
}

function stateOf(slot: ReferenceSlot, awakeNs: number): string {
  if (slot.latched) return "stalled";
  if (slot.status === 2) return "critical";
  if (slot.late) return "late";
  if (slot.status === 1) return "degraded";
  return slot.graceEndNs > awakeNs && !slot.saidGoodbye ? "new" : "ok";
}

function sumWith({ samples }: Page, prefix: string, label: string): number {
  const found = [...samples].filter(([name]) => name.startsWith(prefix) && name.includes(label));
  return found.reduce((sum, [, value]) => sum + value, 0);
}

function compareAccounting({ observer }: Daemon, model: Model): void {
  const { received, accepted, rejected } = observer.accounting;
  for (const [listenerNumber, { link, account }] of model.observer.links.entries()) {
    const name = link.options.name;
    same(`received by ${name}`, account.received, received[listenerNumber]);
    same(`accepted by ${name}`, account.accepted, accepted[listenerNumber]);
    let sum = accepted[listenerNumber]!;
    for (const [code, reason] of REJECT_REASONS.entries()) {
      const found = rejected[listenerNumber * REJECT_REASON_COUNT + code]!;
      same(`rejected by ${name} as ${reason}`, account.rejected.get(reason) ?? 0, found);
      sum += found;
    }
    same(`accepted and rejected by ${name}`, received[listenerNumber], sum);
  }
}

function compareTracker({ observer }: Daemon, model: Model): void {
  const { tracker } = observer;
  const { slots } = model.observer.tracker;
  tracker.checkInvariants();
  same("tracked pids", slots.length, tracker.len);
  let latched = 0;
  for (const [i, slot] of slots.entries()) {
    compareSlot(i, slot, model, tracker.slots);
    if (slot.latched) latched += 1;
    same(`slot ${i} late`, slot.late, tracker.table.lanes.isLate(i));
    same(`slot ${i} held`, slot.held, observer.silence.guarded?.isHeld(slot.pid) ?? false);
    same(`slot ${i} end of grace`, slot.graceEndNs, tracker.slots.graceEndNs[i]);
    same(`slot ${i} waits for it`, slot.parked, tracker.table.lanes.graces.has(i));
  }
  same("latched slots", latched, tracker.stallEmittedCount);
  same("next deadline", model.observer.nextDeadline(), observer.nextDeadline());
}

function compareSlot(
  i: number,
  slot: ReferenceSlot,
  model: Model,
  found: Daemon["observer"]["tracker"]["slots"],
): void {
  const flags = found.flags[i]!;
  const what = `slot ${i}`;
  same(`${what} pid`, slot.pid, found.pid[i]);
  same(`${what} last beat`, slot.lastNs, found.lastNs[i]);
  same(`${what} said goodbye`, slot.saidGoodbye, found.saidGoodbye(i));
  same(`${what} has beaten`, !slot.unbeaten, found.hasBeaten(i));
  same(`${what} latch`, slot.latched, (flags & LATCH) !== 0);
  same(`${what} origin`, slot.origin, found.origin[i]);
  same(`${what} namespace`, slot.namespaceInode ?? Number.NaN, found.namespaceInode[i]);
  same(`${what} generation`, slot.generation ?? Number.NaN, found.generation[i]);
  same(`${what} proven`, model.observer.proven.has(slot), (flags & PROVEN) !== 0);
  same(`${what} status`, slot.status, found.status[i]);
  same(`${what} payload`, slot.payload, found.payload[i]);
  same(`${what} listener`, model.observer.listenerOf.get(slot), found.listener[i]);
  same(`${what} looked up`, model.observer.lookedUpNs.get(slot), found.identityReadNs[i]);
  sameWide(
    `${what} nonce`,
    slot.observedNonce,
    found.observedNonceHi[i]!,
    found.observedNonceLo[i]!,
  );
  same(`${what} has a regular nonce`, slot.lastNonce !== undefined, (flags & HAS_REGULAR) !== 0);
  if (slot.lastNonce !== undefined)
    sameWide(`${what} regular nonce`, slot.lastNonce, found.lastNonceHi[i]!, found.lastNonceLo[i]!);
  const terminal = slot.terminalTimestamp;
  same(`${what} has a terminal time`, terminal !== undefined, (flags & HAS_TERMINAL) !== 0);
  if (terminal === undefined) return;
  const { terminalTimestampHi: hi, terminalTimestampLo: lo } = found;
  sameWide(`${what} terminal time`, terminal, hi[i]!, lo[i]!);
}

function sameWide(what: string, expected: bigint, hi: number, lo: number): void {
  if (Number(expected & 0xffff_ffffn) === lo && Number(expected >> 32n) === hi) return;
  throw new SimulationFailure(what, expected, (BigInt(hi) << 32n) | BigInt(lo));
}

function resumptions(rows: readonly string[]): string[] {
  return rows.flatMap((text) => {
    const beat = /^beat (\d+) @\d+ pid (\d+) status (\d) .* resumed 1$/.exec(text);
    return beat === null ? [] : [`${beat[2]} by ${beat[1]} with ${beat[3]}`];
  });
}

function knownConflicts(rows: readonly string[]): string[] {
  return rows.flatMap((text) => {
    const conflict = /^namespace \d+ @\d+ pid (\d+) ns (\d+) both known 1$/.exec(text);
    return conflict === null ? [] : [`${conflict[1]} in ${conflict[2]}`];
  });
}
