// Gives a turn of the daemon its stages.
import { NS_PER_MS } from "../base/time.ts";
import { monotonicNs } from "./monotonic.ts";
import type { Parts } from "./parts.ts";
import { Tick } from "./tick.ts";
import type { Writers } from "./writers.ts";

export function makeTick(parts: Parts, writers: Writers): Tick {
  const { observer, metrics, recovery, reports, rubbish, refusals } = parts;
  return new Tick({
    observer,
    metrics,
    recovery,
    identification: parts.identification,
    get exporter() {
      return writers.exporter;
    },
    reports,
    rubbish,
    refusals,
    ends: parts.ends,
    expected: parts.expected,
    wallOffsetNs: () => Date.now() * NS_PER_MS - observer.nowNs(),
    monotonicNs,
  });
}
