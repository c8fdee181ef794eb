// Counters saturate at 2^53-1 (spec 03 section 3, 08 section 1): a counter that stops shows it, one
// that loses increments to rounding does not.

/** `a + b`, at most 2^53-1. Both are non-negative integers. */
export function saturatingAdd(a: number, b: number): number {
  const sum = a + b;
  return sum > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : sum;
}

/**
 * `a - b`, at least 0: ages and silences never become negative or huge (spec README, Conventions).
 */
export function saturatingSub(a: number, b: number): number {
  return a > b ? a - b : 0;
}
