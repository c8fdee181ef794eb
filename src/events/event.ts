// Events as objects, with bigint and words: the library edge of the observer (spec 04 section 2).
// The daemon works on rows and never makes these.
import type { EventBatch } from "./event_batch.ts";
import { EVENT_FIELDS, type FieldName } from "./event_fields.ts";
import { EVENT_KINDS, type KindName, ROW_KINDS } from "./event_kinds.ts";
import type { EventObject, EventRows, Shown } from "./event_forms.ts";
import type { Stall } from "./stall.ts";

/** What the library shows of a field; never = nothing. */
type ShownValue<Name extends FieldName> = (typeof EVENT_FIELDS)[Name] extends {
  readonly shown?: Shown<infer Value>;
}
  ? Value
  : never;

type ShownOf<Kind extends KindName> = {
  readonly [Name in keyof typeof EVENT_FIELDS as [ShownValue<Name>] extends [never]
    ? never
    : Extract<Name, (typeof EVENT_KINDS)[Kind]["fields"][number]>]: ShownValue<Name>;
};

type EventOf<Kind extends KindName> = {
  readonly kind: Kind;
  /** Nanoseconds since the observer's start. */
  readonly observerNs: number;
} & ShownOf<Kind>;

/** What the daemon makes of the observer's events, the library has not. */
type OfTheDaemon =
  | "eviction"
  | "exit"
  | "gone"
  | "resume"
  | "recovery"
  | "late"
  | "missing"
  | "complete"
  | "reload"
  | "boot"
  | "shutdown";
type EventKindName = Exclude<KindName, OfTheDaemon>;

export type Event = { [Kind in EventKindName]: EventOf<Kind> }[EventKindName];
export type BeatEvent = EventOf<"beat">;
export type StallEvent = EventOf<"stall">;

/** The event of row `i`; `observerInode` is NaN if unknown. */
export function eventFromRow(batch: EventBatch, i: number, observerInode: number): Event {
  const kind = ROW_KINDS[batch.kind[i]!];
  if (kind === undefined)
    throw new RangeError(`Cannot make an event: row ${i} has kind ${batch.kind[i]}`);
  const rows = batch as unknown as EventRows;
  const event: Record<string, unknown> = { kind: kind.name, observerNs: batch.observerNs[i]! };
  for (const name of kind.fields) {
    const { shown } = EVENT_FIELDS[name];
    if (shown !== undefined) event[name] = shown.ofRow(rows, i, observerInode);
  }
  return event as Event;
}

export function eventFromStall(stall: Stall): StallEvent {
  const event: Record<string, unknown> = { kind: "stall", observerNs: stall.observerNs };
  for (const name of EVENT_KINDS.stall.fields) {
    const { shown } = EVENT_FIELDS[name];
    if (shown !== undefined) event[name] = shown.ofObject(stall as unknown as EventObject);
  }
  return event as StallEvent;
}
