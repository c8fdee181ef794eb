// Who hears of the beats of members that leave: agents keep their sums (spec 08 section 3.8).
/** The account that agents have of the beats of their members, also of those that are gone. */
export interface AgentBeats {
  /** A member of the agent of `number` is one no more, and sent so many that were not taken. */
  left(number: number, beats: number): void;
}
