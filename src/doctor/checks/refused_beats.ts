// Beats that came and were not taken.
import { check, NEEDS_DAEMON } from "../check.ts";
import { counted } from "../words.ts";

export const REFUSED_BEATS = check({
  name: "refused_beats",
  about: "the datagrams that were refused since the start, of the most frequent reason",
  gather: ({ daemon }) =>
    daemon === undefined ? NEEDS_DAEMON : { refused: daemon.observer.refused ?? null },
  decide: ({ refused }) => {
    if (refused === null || refused.count === 0) return undefined;
    // Whether the table is full now is said by the check of that.
    if (refused.reason === "capacity") return undefined;
    const { count, reason, listener, cause, hint, in_container, pid } = refused;
    const words = reason.replaceAll("_", " ");
    const why = in_container === true ? "the sender is in a container" : cause;
    const own = in_container === true ? `containers = true in [[listener]] ${listener}` : hint;
    return {
      severity: "warning",
      found: `${counted(count, "beat was", "beats were")} refused at listener ${listener}: ${words}.`,
      effect: `${why === undefined || why === "" ? "Who sent them is not watched" : sentence(why)}.`,
      fix:
        own !== undefined && own !== ""
          ? { words: own }
          : { run: [pid === null ? "varta-watch events" : `varta-watch explain ${pid}`] },
    };
  },
});

function sentence(clause: string): string {
  return `${clause[0]!.toUpperCase()}${clause.slice(1)}`;
}
