// Durations as people write them in the file: "500ms", "1.5s", "10m", "90h" (spec 07 section 1). A
// duration is a whole number of milliseconds of at most 90 days; inside the program it is
// nanoseconds.

export const DURATION_PATTERN = /^[0-9]+(\.[0-9]+)?(ms|s|m|h)$/;

/**
 * Longer silences are not watched by this kind of program, and 90 days in ns stay exact in an f64.
 */
export const DURATION_MS_MAX = 90 * 24 * 3_600_000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Why a text is not a duration, as the remark after it in a message. */
type DurationFault = "no unit" | "not a duration" | "not whole milliseconds" | "over 90 days";

/** Milliseconds of `text`, or what is wrong with it. Range limits of a key are not checked here. */
export function parseDurationMs(text: string): number | DurationFault {
  const match = DURATION_PATTERN.exec(text);
  if (match === null) return /^[0-9]+(\.[0-9]+)?$/.test(text) ? "no unit" : "not a duration";
  const unit = match[2]!;
  const ms = Number(text.slice(0, -unit.length)) * UNIT_MS[unit]!;
  // "0.1s" is 100 ms exactly, but not in binary: what is left after rounding is far below a
  // microsecond.
  const wholeMs = Math.round(ms);
  if (Math.abs(ms - wholeMs) > 1e-6) return "not whole milliseconds";
  if (wholeMs > DURATION_MS_MAX) return "over 90 days";
  return wholeMs;
}
