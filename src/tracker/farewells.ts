// Members of other machines that said bye and left (spec 14 section 5): a network may deliver a
// beat after the bye that was sent after it, and would make a member of it that beats no more. So
// the last words of a source are kept for a while, and asked for where a newcomer is made, not for
// each beat. A process that is started again under the same pid is no such beat: it numbers from 1,
// and its clock has gone on.
import { IP_WORDS } from "../base/ip_text.ts";
import { NS_PER_S } from "../base/time.ts";
import { u64Greater } from "../base/u64.ts";
import type { Datagram } from "../events/datagram.ts";
import { hashU32 } from "../tables/bounded_index.ts";
import type { SlotsView } from "./slots.ts";

/** Those of another source in the same row are forgotten: then it is as if nothing was kept. */
const FAREWELL_ROWS = 1_024;
/** Longer than a network holds a datagram back. */
export const FAREWELL_NS = 10 * NS_PER_S;

/** The number of a bye. */
export interface Bye {
  readonly nonceHi: number;
  readonly nonceLo: number;
}

export class Farewells {
  readonly #pid = new Uint32Array(FAREWELL_ROWS);
  readonly #source = new Uint32Array(FAREWELL_ROWS * IP_WORDS);
  readonly #origin = new Uint8Array(FAREWELL_ROWS);
  readonly #endNs = new Float64Array(FAREWELL_ROWS).fill(Number.NEGATIVE_INFINITY);
  /** By row: number of the bye, and number and clock of the last beat before it, each in two. */
  readonly #words = new Uint32Array(FAREWELL_ROWS * 6);
  /** All are forgotten then. */
  #untilNs = Number.NEGATIVE_INFINITY;

  /** The member of `slot` leaves with `bye`. */
  note(slots: SlotsView, slot: number, bye: Bye, nowNs: number): void {
    const pid = slots.pid[slot]!;
    const row = rowOf(pid, slots.source, slot * IP_WORDS);
    this.#pid[row] = pid;
    this.#origin[row] = slots.origin[slot]!;
    for (let word = 0; word < IP_WORDS; word++)
      this.#source[row * IP_WORDS + word] = slots.source[slot * IP_WORDS + word]!;
    const last = [slots.lastNonceHi[slot]!, slots.lastNonceLo[slot]!];
    const clock = [slots.timestampHi[slot]!, slots.timestampLo[slot]!];
    this.#words.set([bye.nonceHi, bye.nonceLo, ...last, ...clock], row * 6);
    this.#endNs[row] = nowNs + FAREWELL_NS;
    this.#untilNs = nowNs + FAREWELL_NS;
  }

  /** A datagram of who is not tracked was sent before a bye that is known. */
  isOvertaken(datagram: Datagram): boolean {
    const { nowNs, pid, origin, sourceAt, control, isTerminal, nonceHi, nonceLo } = datagram;
    const source = datagram.sources ?? datagram.addresses;
    if (nowNs >= this.#untilNs || source === undefined || isTerminal) return false;
    const row = rowOf(pid, source, sourceAt);
    if (nowNs >= this.#endNs[row]! || this.#pid[row] !== pid || this.#origin[row] !== origin)
      return false;
    for (let word = 0; word < IP_WORDS; word++)
      if (this.#source[row * IP_WORDS + word]! !== source[sourceAt + word]!) return false;
    const words = this.#words;
    const at = row * 6;
    if (!u64Greater(words[at]!, words[at + 1]!, nonceHi, nonceLo)) return false;
    if (u64Greater(nonceHi, nonceLo, words[at + 2]!, words[at + 3]!)) return true;
    if (control !== 0) return false;
    const { timestampHi, timestampLo } = datagram;
    return !u64Greater(timestampHi, timestampLo, words[at + 4]!, words[at + 5]!);
  }
}

function rowOf(pid: number, source: ArrayLike<number>, at: number): number {
  let hash = hashU32(pid);
  for (let word = 0; word < IP_WORDS; word++) hash = hashU32(hash ^ source[at + word]!);
  return hash % FAREWELL_ROWS;
}
