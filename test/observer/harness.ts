// An observer with scripted listeners, processes and time, and short texts of what it did.
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { REJECT_REASONS } from "../../src/base/reject_reason.ts";
import { type Event, eventFromRow } from "../../src/events/event.ts";
import type { EventBatch } from "../../src/events/event_batch.ts";
import { ObserverClock, type RawClock } from "../../src/observer/clock.ts";
import type { ObserverOptions } from "../../src/observer/observer_options.ts";
import { LibraryObserver } from "../../src/observer/library.ts";
import { type Datagram, ScriptedListener } from "../support/scripted_listener.ts";
import { OWN_INODE, ScriptedProcesses } from "../support/scripted_processes.ts";

export const THRESHOLD_NS = 100 * NS_PER_MS;

export class ScriptedClock implements RawClock {
  ns = NS_PER_S;
  reads = 0;
  /** Added before each reading. */
  stepNs = 0;

  /** Of its time. */
  sleptNs = 0;

  asleepNs(): number {
    return this.sleptNs;
  }

  readNs(): number {
    this.reads += 1;
    this.ns += this.stepNs;
    return this.ns;
  }
}

export interface ObserverHarnessOptions
  extends Partial<Omit<ObserverOptions, "clock" | "processes">> {
  readonly listeners?: readonly ScriptedListener[];
}

export class ObserverHarness {
  readonly clock = new ScriptedClock();
  readonly processes = new ScriptedProcesses();
  readonly listeners: readonly ScriptedListener[];
  readonly observer: LibraryObserver;
  readonly #toldRejects: number[] = REJECT_REASONS.map(() => 0);
  #toldAccepted = 0;

  constructor({ listeners = [new ScriptedListener()], ...options }: ObserverHarnessOptions = {}) {
    this.listeners = listeners;
    this.observer = new LibraryObserver({
      thresholdNs: THRESHOLD_NS,
      clock: new ObserverClock(this.clock),
      processes: this.processes,
      observerInode: OWN_INODE,
      ...options,
    });
    for (const listener of listeners) this.observer.addListener(listener);
  }

  get listener(): ScriptedListener {
    return this.listeners[0]!;
  }

  /**
   * Lets the first listener receive `datagrams` in one batch, and pumps until all sockets are
   * empty.
   */
  receive(...datagrams: Datagram[]): Event[] {
    this.listener.queue(datagrams);
    return this.pump();
  }

  pump(budget = Number.POSITIVE_INFINITY): Event[] {
    const events: Event[] = [];
    this.observer.pump((batch, count) => collect(events, batch, count, this.observer), budget);
    return events;
  }

  /** `receive` as short texts: an event kind, "beat 42", or for a silent drop nothing. */
  tell(...datagrams: Datagram[]): string[] {
    return this.receive(...datagrams).map(eventText);
  }

  /** What the accounting moved since the last call: "accepted 2", "decode 1". */
  moved(): string[] {
    const { accounting } = this.observer;
    const texts: string[] = [];
    let accepted = 0;
    for (let listenerNumber = 0; listenerNumber < this.listeners.length; listenerNumber++)
      accepted += accounting.accepted[listenerNumber]!;
    if (accepted > this.#toldAccepted) texts.push(`accepted ${accepted - this.#toldAccepted}`);
    this.#toldAccepted = accepted;
    REJECT_REASONS.forEach((text, reason) => {
      let total = 0;
      for (let listenerNumber = 0; listenerNumber < this.listeners.length; listenerNumber++)
        total += accounting.rejected[listenerNumber * REJECT_REASONS.length + reason]!;
      const since = total - this.#toldRejects[reason]!;
      if (since > 0) texts.push(`${text} ${since}`);
      this.#toldRejects[reason] = total;
    });
    return texts;
  }

  /** Lets `ms` pass. */
  pass(ms: number): void {
    this.clock.ns += ms * NS_PER_MS;
  }

  /** The pids of all queued stalls, oldest first. */
  stalls(): number[] {
    const pids: number[] = [];
    for (let s = this.observer.pollPending(); s !== undefined; s = this.observer.pollPending())
      pids.push(s.pid);
    return pids;
  }
}

export function collect(
  events: Event[],
  batch: EventBatch,
  count: number,
  observer: LibraryObserver,
): void {
  for (let i = 0; i < count; i++) events.push(eventFromRow(batch, i, observer.observerInode));
}

function eventText(event: Event): string {
  switch (event.kind) {
    case "beat":
      return `beat ${event.pid}`;
    case "decode":
      return `decode ${event.error}`;
    case "auth-failure":
      return `auth-failure ${event.claimedPid} ${event.reason}`;
    case "origin-conflict":
      return `origin-conflict ${event.claimedPid} ${event.observedOrigin} slot ${event.slotOrigin}`;
    case "namespace-conflict":
      return `namespace-conflict ${event.claimedPid} ${event.observedInode}`;
    case "io":
      return `io ${event.errno}`;
    default:
      return event.kind;
  }
}
