// What the daemon gave its sinks and reports in one turn, as text in the order of the calls.
import type { Returned, TickExport, TickReports } from "../../src/daemon/tick.ts";
import type { EventBatch } from "../../src/events/event_batch.ts";
import type { MemberLate } from "../../src/events/member_late.ts";
import type { Stall } from "../../src/events/stall.ts";
import type { RubbishReports } from "../../src/listener/rubbish_watch.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import type { EventLines } from "../../src/export/event_lines.ts";
import { takeLines } from "./export_lines.ts";
import { lateText, rowText, stallText } from "./model_rows.ts";
import type { AgentLedger } from "./agent_ledger.ts";
import type { Promises } from "./promises.ts";

export class Recorder implements TickExport, TickReports, RubbishReports {
  rows: string[] = [];
  stalls: string[] = [];
  outcomes: string[] = [];
  removed: number[] = [];
  reportedStalls: string[] = [];
  lates: string[] = [];
  exportedLates: string[] = [];
  resumptions: string[] = [];
  conflicts: string[] = [];
  slowStages: string[] = [];
  wallOffsetNs = 0;
  ledger: AgentLedger | undefined;
  /** Listeners whose filter was put on or taken off, in the whole life. */
  readonly filters: string[] = [];
  readonly #lines: EventLines;
  readonly #promises: Promises;

  constructor(promises: Promises, lines: EventLines) {
    this.#promises = promises;
    this.#lines = lines;
  }

  /** What the export of a daemon with a configuration file has of the turn. */
  takeExported(): string[] {
    return takeLines(this.#lines);
  }

  beginTurn(): void {
    this.rows = [];
    this.stalls = [];
    this.outcomes = [];
    this.removed = [];
    this.reportedStalls = [];
    this.lates = [];
    this.exportedLates = [];
    this.resumptions = [];
    this.conflicts = [];
    this.slowStages = [];
  }

  setWallOffsetNs(wallOffsetNs: number): void {
    this.wallOffsetNs = wallOffsetNs;
  }

  onBatch(batch: EventBatch, count: number): boolean {
    for (let i = 0; i < count; i++) this.rows.push(rowText(batch, i));
    this.#lines.onBatch(batch, count);
    this.#promises.onBatch(batch, count);
    return true;
  }

  onStall(stall: Stall): void {
    this.ledger?.stalled(stall);
    this.stalls.push(stallText(stall));
    this.#lines.onStall(stall);
    this.#promises.onStall(stall);
  }

  onRemoved(pid: number, nowNs: number, source = ""): void {
    this.#lines.add("eviction", { pid, source, observerNs: nowNs });
    this.removed.push(pid);
    this.#promises.onRemoved(pid, nowNs);
  }

  onLeft(key: number): void {
    this.#lines.onLeft(key);
  }

  onOutcome(outcome: RecoveryOutcome): void {
    // What begins and ends a recovery is judged by what is promised of it, not by the model.
    if (outcome.kind !== "began" && outcome.kind !== "result")
      this.outcomes.push(outcomeText(outcome));
    this.#lines.onOutcome(outcome);
    this.#promises.onOutcome(outcome);
  }

  stalled(stall: Stall): void {
    this.reportedStalls.push(stallText(stall));
  }

  onLate(late: MemberLate): void {
    this.exportedLates.push(lateText(late));
  }

  late(late: MemberLate): void {
    this.lates.push(lateText(late));
    this.#promises.onLate(late);
  }

  resumed({ pid, listener, status }: Returned): void {
    this.resumptions.push(`${pid} by ${listener} with ${status}`);
  }

  left(): void {}

  sharedPid(): void {
    throw new Error("No simulated listener says where its datagrams come from");
  }

  namespaceConflict(pid: number, observedInode: number): void {
    this.conflicts.push(`${pid} in ${observedInode}`);
  }

  paused(): void {}

  filterAttached(listener: number): void {
    this.filters.push(`on ${listener}`);
  }

  filterDetached(listener: number): void {
    this.filters.push(`off ${listener}`);
  }

  filterUnavailable(listener: number): void {
    this.filters.push(`none for ${listener}`);
  }

  slowTurn(stage: string, _ns: number): void {
    this.slowStages.push(stage);
  }
}

function outcomeText(outcome: RecoveryOutcome): string {
  if (outcome.kind === "refused") {
    return `refused ${outcome.pid} @${outcome.observerNs} ${outcome.reason}`;
  }
  if (outcome.kind === "spawn") {
    return `spawn ${outcome.pid} @${outcome.observerNs} child ${outcome.childPid}`;
  }
  if (outcome.kind === "deferred") {
    return `deferred ${outcome.pid} @${outcome.observerNs} by ${outcome.pauseNs}`;
  }
  if (outcome.kind === "timeout") {
    return `timeout ${outcome.pid} @${outcome.observerNs} child ${outcome.childPid} after ${outcome.durationNs}`;
  }
  if (outcome.kind === "complete") {
    return `complete ${outcome.pid} @${outcome.observerNs} child ${outcome.childPid} ${outcome.completion} code ${outcome.exitCode} signal ${outcome.signal} after ${outcome.durationNs}`;
  }
  return `${outcome} which no scenario asks for`;
}
