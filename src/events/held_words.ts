/**
 * Whether the stall of a member waits for the end of a mute (spec 16 section 8), and was reported
 * before.
 */
export const HELD_WORDS = ["", "untold", "told"] as const;

export type HeldWord = (typeof HELD_WORDS)[number];
