// Whom a request is about: an agent by its name, or one of its members by its pid.

/** Longer names are cut before they get into the table of agents. */
const TARGET_CHARS_MAX = 320;

export const TARGET = { is: "text", charsMax: TARGET_CHARS_MAX } as const;
