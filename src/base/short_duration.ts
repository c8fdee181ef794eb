// A duration that was measured, as people read it: never more than six cells, and never more than
// has passed: it is cut, not rounded.

const S = 1_000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;
const DAYS_ALONE_FROM = 100;

/** "310ms", "1.9s", "38s", "4m31s", "11h40m", "2d19h". */
export function shortDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  const whole = Math.max(0, Math.floor(ms));
  if (whole < S) return `${whole}ms`;
  if (whole < 10 * S) return `${(Math.floor(whole / 100) / 10).toFixed(1)}s`;
  if (whole < M) return `${Math.floor(whole / S)}s`;
  if (whole < H) return pair(whole, M, "m", S, "s");
  if (whole < 2 * D) return pair(whole, H, "h", M, "m");
  const days = Math.floor(whole / D);
  return days < DAYS_ALONE_FROM ? `${days}d${Math.floor((whole % D) / H)}h` : `${days}d`;
}

function pair(ms: number, unitMs: number, unit: string, restMs: number, rest: string): string {
  const figure = Math.floor((ms % unitMs) / restMs);
  return `${Math.floor(ms / unitMs)}${unit}${String(figure).padStart(2, "0")}${rest}`;
}
