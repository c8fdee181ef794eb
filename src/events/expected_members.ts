// What happens to an agent of which a number of members is expected (spec 15 section 5), as the
// sinks see it. Both are rare, so each is one object.

interface OfExpectedAgent {
  readonly observerNs: number;
  /** Number of the agent. */
  readonly agent: number;
  /** Members that are present, and how many have to be. */
  readonly members: number;
  readonly expected: number;
}

/** It has had fewer members than expected for longer than its grace. */
export interface AgentMissing extends OfExpectedAgent {
  readonly graceNs: number;
}

/** It was missing, and has its members again. */
export interface AgentComplete extends OfExpectedAgent {
  /** Since it was reported missing. */
  readonly missingNs: number;
}
