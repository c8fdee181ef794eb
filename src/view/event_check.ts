// Reads events that a state file has as JSON (spec 18 section 3). Whoever wrote the file may have
// written anything: what is not exactly an event, with fields of the right kinds and lengths, is
// none. It never throws for what it reads.
import { STALL_VERDICTS } from "../events/stall_verdict.ts";
import { STEP_KINDS } from "../events/step_kind.ts";
import {
  EVENT_VIEW_KINDS,
  type EventView,
  RECOVERY_WHATS,
  type RecoveryEvent,
} from "./event_view.ts";

/** Undefined = it is no event. */
export function eventOfJson(json: string): EventView | undefined {
  return checked(json, isEvent) as EventView | undefined;
}

/** Undefined = it is none of a recovery. */
export function recoveryOfJson(json: string): RecoveryEvent | undefined {
  return checked(json, isRecovery) as RecoveryEvent | undefined;
}

function checked(json: string, isIt: Check): unknown {
  try {
    const value: unknown = JSON.parse(json);
    return isIt(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

type Check = (value: unknown) => boolean;

/** A name of latin1, a clause, or one with more before it: the longest that the daemon makes. */
const TEXT_CHARACTERS_MAX = 512;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const text: Check = (value) => typeof value === "string" && value.length <= TEXT_CHARACTERS_MAX;
const time: Check = (value) =>
  typeof value === "string" && TIME.test(value) && Number.isFinite(Date.parse(value));
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const length: Check = (value) => Number.isFinite(value) && (value as number) >= 0;
const isTrue: Check = (value) => value === true;

function oneOf(words: readonly string[]): Check {
  return (value) => typeof value === "string" && words.includes(value);
}

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

/** An object that has the first fields, may have the others, and has no more. */
function fields(
  wanted: Readonly<Record<string, Check>>,
  possible: Readonly<Record<string, Check>> = {},
): Check {
  const all = new Map(Object.entries({ ...wanted, ...possible }));
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    if (Object.keys(wanted).some((name) => !Object.hasOwn(value, name))) return false;
    return Object.entries(value).every(([name, one]) => all.get(name)?.(one) === true);
  };
}

const isRecovery = fields(
  { id: count, what: oneOf(RECOVERY_WHATS) },
  {
    ...{ plan: text, step: count, steps: count, kind: oneOf(STEP_KINDS), target: text },
    ...{ result: text, took_ms: length, reason: text, why: text },
    ...{ used: count, limit: count, window_ms: length },
  },
);

const isEvent = fields(
  { time, kind: oneOf(EVENT_VIEW_KINDS), agent: text },
  {
    ...{ pid: count, silence_ms: length, threshold_ms: length, muted: isTrue },
    goodbye_ms: length,
    verdict: oneOf(STALL_VERDICTS),
    tracer: fields({ pid: count, comm: text, user: text }),
    end: fields({ time, exit_status: orNull(count), signal: orNull(count) }),
    unwatched: fields({ after: time, before: time }),
    ...{ by_pid: count, recovery: isRecovery },
    ...{ members: count, expected: count, count, detail: text },
  },
);
