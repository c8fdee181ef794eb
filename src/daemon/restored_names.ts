// Names the members that a state gave back by the rules of now (spec 18 section 6): before the
// first turn, so that nobody meets one without its name. Those of one agent differ in little but
// their pids: who such a member is is found once for all of them.
import { AGENT_OTHER } from "../agents/agent_table.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import type { Identification, Named } from "../observer/identification.ts";
import type { Identity } from "../processes/identity.ts";
import type { MemberRows } from "../snapshot/member_rows.ts";
import type { MemberRecord } from "../snapshot/records.ts";
import type { RestoredMembers } from "../snapshot/restored_members.ts";

type Names = Pick<Identification, "restore" | "restoreLike">;

/** What members of one kind have in common, beside their texts. */
interface Kind {
  readonly uid: number;
  readonly gid: number;
  readonly askedNs: number;
  /** Index of who was named for it. */
  readonly index: number;
}

export function nameRestored(
  { rows, rowOf }: RestoredMembers,
  identification: Names,
  nowNs: number,
): void {
  const uids = rows.f64("uid");
  const gids = rows.f64("gid");
  const askedNs = rows.f64("askedNs");
  const programs = rows.u32("program");
  const hasEnded = rows.u8("hasEnded");
  const { textsNumbers } = rows;
  /** By the number of their texts: the last one that was met. */
  const kindOfTexts: (Kind | undefined)[] = [];
  const kinds: Named[] = [];
  const alike = { slots: new Int32Array(rowOf.length), kindOf: new Int32Array(rowOf.length) };
  const programOf = new Uint32Array(rowOf.length);
  let alikeCount = 0;
  for (let slot = 0; slot < rowOf.length; slot++) {
    const row = rowOf[slot]!;
    const uid = uids[row]!;
    const gid = gids[row]!;
    const program = programs[row]!;
    const texts = textsNumbers[row]!;
    const kind = kindOfTexts[texts];
    const isLike = kind?.uid === uid && kind.gid === gid && kind.askedNs === askedNs[row];
    if (isLike && program !== 0 && hasEnded[row] === 0) {
      alike.kindOf[slot] = kind.index;
      alike.slots[alikeCount++] = slot;
      programOf[slot] = program;
      continue;
    }
    const named = restoreOne({ slot, row, rows }, identification, nowNs);
    if (named === undefined || !speaksForOthers(named)) continue;
    kindOfTexts[texts] = { uid, gid, askedNs: askedNs[row]!, index: kinds.push(named) - 1 };
  }
  const slots = alike.slots.subarray(0, alikeCount);
  identification.restoreLike({ slots, kindOf: alike.kindOf, programOf }, kinds, nowNs);
}

/** Without a uid it is called by its pid; and each that has no name of its own is counted. */
function speaksForOthers({ member, facts }: Named): boolean {
  const isLocal = facts.identity !== undefined && !Number.isNaN(facts.uid) && facts.address === "";
  return isLocal && member.agent !== AGENT_OTHER;
}

interface RestoredSlot {
  readonly slot: number;
  readonly row: number;
  readonly rows: MemberRows;
}

/** Undefined = it is not named: it is looked at like one that has come just now. */
function restoreOne(
  { slot, row, rows }: RestoredSlot,
  identification: Names,
  nowNs: number,
): Named | undefined {
  const record = rows.record(row);
  const identity = identityOf(record);
  // One without a start time had ended when it came, and that it came was said.
  const { origin, generation } = record;
  const canBeLookedAt = origin === ORIGIN_KERNEL_ATTESTED && !Number.isNaN(generation);
  if (identity === undefined && canBeLookedAt) return undefined;
  return identification.restore(slot, identity, nowNs);
}

/** Who it was; undefined = that was not known. */
function identityOf(record: MemberRecord): Identity | undefined {
  const { uid, gid, user, comm, exe, script, program, unit, unitUser, container } = record;
  if (comm === "" || program === 0) return undefined;
  return { uid, gid, user, comm, exe, script, mark: program, unit, unitUser, container };
}
