// The placeholders of a recovery command (spec 10 section 1): the configuration refuses others at
// the start, and the recovery puts values in their place.

/** The words, in the order of the values that the recovery makes for them. */
export const PLACEHOLDERS = [
  "pid",
  "status",
  "payload",
  "listener",
  "last_nonce",
  "silence_ms",
  "last_beat_unix_ms",
  "threshold_ms",
  "origin",
  "generation",
  "namespace",
  "agent",
  "verdict",
] as const;

/** What may stand in the name of an agent (spec 15 section 2); one that is empty for it is none. */
export const AGENT_NAME_PLACEHOLDERS = [
  "unit",
  "instance",
  "comm",
  "script",
  "user",
  "container",
  "listener",
] as const;

/**
 * A word in braces that looks like a placeholder, in its first group. Not ${HOME} of a shell,
 * {{name}} of a template, {print $1} of awk or {a,b}: these are left to the program that they are
 * for.
 */
export const PLACEHOLDER_LIKE = /(?<![${])\{([A-Za-z][A-Za-z0-9_-]*)\}(?!\})/g;
