// What becomes of the members of a state when the next daemon starts (spec 18 section 6). Their
// silence is honest, and what was reported stays reported. That nobody is stalled by a silence in
// which nobody listened is for the tracker, for which all silence begins anew at the start. Pure:
// processes are asked for through a parameter. Ten thousand of them are columns and not objects:
// they are all there before the daemon says that it is ready.
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { PID_INIT } from "../wire/frame.ts";
import type { Continuation } from "./continuation.ts";
import type { MemberRows } from "./member_rows.ts";
import type { MemberRecord } from "./records.ts";

/** PID_MAX_LIMIT of the kernel (linux/threads.h). */
const PID_LIMIT = 4_194_304;

/**
 * Processes that are asked for before the daemon is ready, beside those of stalled members: who was
 * silent longest is most likely to have ended. The others are watched a moment after the start.
 */
const ASKED_MAX = 1_000;

/** One of them, for those who ask for few. */
export interface RestoredMember {
  readonly record: MemberRecord;
  /** Observer times of this daemon. */
  readonly firstNs: number;
  readonly lastNs: number;
  readonly stalledNs: number;
  /** NaN = it did not say goodbye. */
  readonly goodbyeNs: number;
  /** It ended between its last beat and now, and that is to be reported. */
  readonly diedUnseen: boolean;
}

interface RestoreOptions {
  /** Members that there is room for. */
  readonly capacity: number;
  /** True if the process of this start time has certainly ended. */
  readonly hasEnded: (pid: number, startTime: number) => boolean;
}

/** Members that come back, in the order of their last beats. */
export class RestoredMembers implements Iterable<RestoredMember> {
  readonly rows: MemberRows;
  /** Which row of the state is each of them. */
  readonly rowOf: Uint32Array;
  /** By row, observer times of this daemon. */
  readonly firstNs: Float64Array;
  readonly lastNs: Float64Array;
  /** By row, 1 = it ended between its last beat and now, and that is to be reported. */
  readonly diedUnseen: Uint8Array;
  readonly #past: Continuation["past"];

  constructor(fields: RestoredFields) {
    this.rows = fields.rows;
    this.rowOf = fields.rowOf;
    this.firstNs = fields.firstNs;
    this.lastNs = fields.lastNs;
    this.diedUnseen = fields.diedUnseen;
    this.#past = fields.past;
  }

  get length(): number {
    return this.rowOf.length;
  }

  /** Whether a row says so, found at once: mostly none does, and nobody needs to be walked. */
  get haveStalls(): boolean {
    return this.rows.u8("isStalled").includes(1);
  }

  get haveEnds(): boolean {
    return this.diedUnseen.includes(1) || this.rows.u8("hasEnded").includes(1);
  }

  /** Only those of `rowOf`. */
  of(rowOf: Uint32Array): RestoredMembers {
    const { rows, firstNs, lastNs, diedUnseen } = this;
    return new RestoredMembers({ rows, rowOf, firstNs, lastNs, diedUnseen, past: this.#past });
  }

  at(place: number): RestoredMember {
    const row = this.rowOf[place]!;
    const record = this.rows.record(row);
    return {
      record,
      firstNs: this.firstNs[row]!,
      lastNs: this.lastNs[row]!,
      stalledNs: this.#past(record.stalledNs),
      goodbyeNs: this.#past(record.goodbyeNs),
      diedUnseen: this.diedUnseen[row] === 1,
    };
  }

  *[Symbol.iterator](): Iterator<RestoredMember> {
    for (let place = 0; place < this.length; place++) yield this.at(place);
  }
}

interface RestoredFields
  extends Pick<RestoredMembers, "rows" | "rowOf" | "firstNs" | "lastNs" | "diedUnseen"> {
  readonly past: Continuation["past"];
}

interface Restored {
  readonly members: RestoredMembers;
  /** Those for which there was no room, and what no daemon can have written. */
  readonly leftOut: number;
}

export function restoreMembers(
  rows: MemberRows,
  continuation: Continuation,
  options: RestoreOptions,
): Restored {
  const { past } = continuation;
  const storedNs = rows.f64("lastNs");
  // No process is there from before another boot; who beats over a network says so again.
  const isSame = continuation.otherBoot === "";
  const kept = isSame ? mostWanted(rows, possibleRows(rows), options.capacity) : NO_ROWS;
  const members = new RestoredMembers({
    rows,
    rowOf: kept.sort((a, b) => storedNs[a]! - storedNs[b]!),
    firstNs: continuation.pasts(rows.f64("firstNs")),
    lastNs: continuation.pasts(storedNs),
    diedUnseen: unseenEnds(rows, kept, options.hasEnded),
    past,
  });
  return { members, leftOut: isSame ? rows.length - kept.length : 0 };
}

const NO_ROWS = new Uint32Array(0);

/** Without what no daemon can have written. */
function possibleRows(rows: MemberRows): Uint32Array {
  const pids = rows.u32("pid");
  const origins = rows.u8("origin");
  const possible = new Uint32Array(rows.length);
  let count = 0;
  for (let row = 0; row < rows.length; row++) {
    const pid = pids[row]!;
    // No process has another pid: its silence would be told of nobody.
    if (pid < PID_INIT || (origins[row]! === ORIGIN_KERNEL_ATTESTED && pid > PID_LIMIT)) continue;
    possible[count++] = row;
  }
  return possible.subarray(0, count);
}

/** Stalled ones first, so that no alert resolves for want of room; then those that beat last. */
function mostWanted(rows: MemberRows, possible: Uint32Array, capacity: number): Uint32Array {
  if (possible.length <= capacity) return possible;
  const lastNs = rows.f64("lastNs");
  const isStalled = rows.u8("isStalled");
  possible.sort((a, b) => isStalled[b]! - isStalled[a]! || lastNs[b]! - lastNs[a]!);
  return possible.subarray(0, capacity);
}

function unseenEnds(
  rows: MemberRows,
  kept: Uint32Array,
  hasEnded: RestoreOptions["hasEnded"],
): Uint8Array {
  const pids = rows.u32("pid");
  const origins = rows.u8("origin");
  const generations = rows.f64("generation");
  const hadEnded = rows.u8("hasEnded");
  const isStalled = rows.u8("isStalled");
  const diedUnseen = new Uint8Array(rows.length);
  for (let at = 0; at < kept.length; at++) {
    const row = kept[at]!;
    if (at >= ASKED_MAX && isStalled[row] === 0) continue;
    const generation = generations[row]!;
    // A start time that is not known is NaN.
    if (origins[row] !== ORIGIN_KERNEL_ATTESTED || !(generation >= 0)) continue;
    if (hadEnded[row] === 0 && hasEnded(pids[row]!, generation)) diedUnseen[row] = 1;
  }
  return diedUnseen;
}
