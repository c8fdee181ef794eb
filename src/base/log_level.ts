// The levels of the log, the one that writes most before the others.

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
