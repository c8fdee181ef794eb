// The one time unit inside the program is the nanosecond, held in an f64: exact for 104 days, then
// in steps of 2, 4, ... ns, which no threshold can notice (spec 04 section 8). Everything else is
// converted at the edges.

export const NS_PER_US = 1_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_S = 1_000_000_000;

export function msFromNs(ns: number): number {
  return ns / NS_PER_MS;
}

export function nsFromMs(ms: number): number {
  return ms * NS_PER_MS;
}

/** For lines that people read. */
export function wholeMsFromNs(ns: number): number {
  return Math.floor(msFromNs(ns));
}

/** RFC 3339, in UTC; `unixMsAtStart` is the Unix time of observer time 0. */
export function utcText(observerNs: number, unixMsAtStart: number): string {
  return new Date(unixMsAtStart + msFromNs(observerNs)).toISOString();
}
