// Who knows how far a member is heard that asks for more time: the rules are not the tracker's
// (spec 20 section 4).
export interface Askings {
  /** The member of `slot` asks at `nowNs` for so many microseconds until it is judged. */
  askTime(slot: number, extendUsec: number, nowNs: number): void;
}
