// Figures as people read them: durations, ages, counts and rates. One form everywhere, never more
// than six cells, never a space inside, and never more than has passed: they are cut, not rounded.
import { shortDuration } from "../../base/short_duration.ts";

const S = 1_000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;
/** Up to here a threshold is said in seconds, as it is written: "60s", "90s". */
const SECONDS_UNTIL_MS = 2 * M;
const WHOLE_MAX = 9_999;

export const duration = shortDuration;

/** What is over, and was measured: one decimal below a minute, "37.1s". */
export function lasted(ms: number): string {
  const isTenths = ms >= 10 * S && ms < M;
  return isTenths ? `${(Math.floor(ms / 100) / 10).toFixed(1)}s` : duration(ms);
}

/** One unit: "33s", "4m", "19h", "2d". */
export function roughly(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  const whole = Math.max(0, ms);
  if (whole < M) return `${Math.floor(whole / S)}s`;
  if (whole < H) return `${Math.floor(whole / M)}m`;
  return whole < 2 * D ? `${Math.floor(whole / H)}h` : `${Math.floor(whole / D)}d`;
}

export function age(ms: number): string {
  return `${roughly(ms)} ago`;
}

/** What a configuration says, exactly: "500ms", "5s", "60s", "10m", "24h". */
export function setDuration(ms: number): string {
  if (ms % S !== 0) return `${ms}ms`;
  if (ms === 0) return "0s";
  if (ms % H === 0) return `${ms / H}h`;
  return ms % M === 0 && ms >= SECONDS_UNTIL_MS ? `${ms / M}m` : `${ms / S}s`;
}

/** "9058", "18.1k", "42.0k", "120k", "1.20M". */
export function count(figure: number): string {
  if (figure <= WHOLE_MAX) return String(Math.floor(figure));
  for (const [unit, size] of [
    ["k", 1e3],
    ["M", 1e6],
    ["G", 1e9],
  ] as const)
    if (figure < size * 1e3 || unit === "G") return threeDigits(figure / size) + unit;
  return "";
}

function threeDigits(figure: number): string {
  const places = figure < 10 ? 2 : figure < 100 ? 1 : 0;
  return (Math.floor(figure * 10 ** places) / 10 ** places).toFixed(places);
}

/** Per second: "0", "0.02", "7.0", "160", "12.4k". */
export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 0.01) return "<0.01";
  if (perSecond < 0.1) return perSecond.toFixed(2);
  return perSecond < 100 ? perSecond.toFixed(1) : count(perSecond);
}

/** "1 stall", "2 stalls". */
export function plural(figure: number, noun: string, nouns = `${noun}s`): string {
  return `${figure} ${figure === 1 ? noun : nouns}`;
}
