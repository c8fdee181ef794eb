// What a page says of an observer, of its parts and of its listeners.
import { block, Counters, gauge, type ShowCounters } from "../base/counters.ts";
import { BIND, SOCKET } from "../listener/counters.ts";
import type { Observer } from "./observer.ts";

// On the page, other families stand between the two.
export const PID_MAX = block({
  current: gauge(
    "varta_pid_max_current",
    "Cached pid_max of the kernel; 4294967295 where there is none.",
    { ask: (observer: Observer) => observer.pidMax },
  ),
});

export const OBSERVER = block({
  tracked: gauge("varta_watch_pids_tracked", "Agents tracked now.", {
    ask: ({ tracker }: Observer) => tracker.len,
  }),
});

/** Gives a page what is counted. */
export function showObserver(observer: Observer, show: ShowCounters): void {
  const { tracker, clock, pauses, listenersInForce } = observer;
  for (const { counters } of [tracker, tracker.table.agents, clock, pauses]) show(counters);
  show(new Counters(PID_MAX, observer));
  show(new Counters(OBSERVER, observer));
  for (const number of listenersInForce) showListener(observer, number, show);
}

/** Gives a page what the listener of a number counts. */
export function showListener({ listeners }: Observer, number: number, show: ShowCounters): void {
  const listener = listeners[number]!;
  show(new Counters(SOCKET, listener), { listener: listener.name }, number);
  show(new Counters(BIND, listener), {}, number);
  if (listener.counters !== undefined) show(listener.counters, {}, number);
  if (listener.streams !== undefined) show(listener.streams, { listener: listener.name }, number);
}
