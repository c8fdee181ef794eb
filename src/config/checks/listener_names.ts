// The names of listeners, written or counted (spec 07 section 2.4).
import type { CheckedListener } from "./check_document.ts";

/**
 * The name of each listener, the default ones counted per kind; undefined if a wrong one was
 * written.
 */
export function listenerNames(listeners: readonly CheckedListener[]): (string | undefined)[] {
  const counts = new Map<string, number>();
  return listeners.map((listener) => {
    if (listener.kind === undefined || listener.wrong.has("name")) return undefined;
    const count = counts.get(listener.kind) ?? 0;
    counts.set(listener.kind, count + 1);
    return listener.values.name ?? `${listener.kind}-${count}`;
  });
}
