// A metrics registry as the daemon makes it, with two listeners, and its page as text.
import { AgentTable } from "../../src/agents/agent_table.ts";
import { RULE_NONE } from "../../src/agents/rules.ts";
import { Counters } from "../../src/base/counters.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";
import { EVENT_BEAT, EventBatch } from "../../src/events/event_batch.ts";
import type { Stall } from "../../src/events/stall.ts";
import { SOCKET } from "../../src/listener/counters.ts";
import type { AgentTotals } from "../../src/metrics/agent_page.ts";
import { AgentRows } from "../../src/metrics/agent_rows.ts";
import type { PageFormat } from "../../src/metrics/family_section.ts";
import { Metrics, type MetricsOptions } from "../../src/metrics/metrics.ts";

/** What a page asks of a listener. */
interface SocketFigures {
  readonly name: string;
  readonly kind: "unix" | "udp";
  rcvbufBytes: number;
  kernelDrops: number;
}

export interface Fixture {
  readonly metrics: Metrics;
  readonly sockets: readonly [SocketFigures, SocketFigures];
  readonly accounting: DatagramAccounting;
}

export const NOBODY_EXPECTED = { numbers: [], expectedOf: () => 0, missingOf: () => 0 };
const NO_MEMBERS: AgentTotals = { begin() {}, step: () => true };

export function makeMetrics(changes: Partial<MetricsOptions> = {}): Fixture {
  const accounting = new DatagramAccounting();
  const sockets: Fixture["sockets"] = [
    { name: "local", kind: "unix", rcvbufBytes: 0, kernelDrops: 0 },
    { name: "lab", kind: "udp", rcvbufBytes: 0, kernelDrops: 0 },
  ];
  const rows = new AgentRows({
    agents: new AgentTable(),
    rowsMax: 5,
    kept: [],
    expected: NOBODY_EXPECTED,
    nowNs: () => 0,
  });
  const metrics = new Metrics({
    blocks: METRIC_BLOCKS,
    capacity: 16,
    listeners: sockets,
    accounting,
    perPid: true,
    agents: { rows, totals: NO_MEMBERS, recovers: true },
    build: { version: "0.1.0", revision: "abcdef", runtime: "bun 1.4.4", target: "linux-x64" },
    ...changes,
  });
  for (const socket of sockets)
    metrics.show(new Counters(SOCKET, socket), { listener: socket.name });
  return { metrics, sockets, accounting };
}

/** Lets one beat of each pid pass. */
export function beat(metrics: Metrics, pids: readonly number[], status = 0, observerNs = 0): void {
  for (const pid of pids) {
    const batch = new EventBatch();
    batch.kind[0] = EVENT_BEAT;
    batch.pid[0] = pid;
    batch.status[0] = status;
    batch.observerNs[0] = observerNs;
    metrics.onBatch(batch, 1);
  }
}

export function stallOf(pid: number): Stall {
  return {
    pid,
    lastNonceHi: 0,
    lastNonceLo: 7,
    lastNs: 1e9,
    observerNs: 6e9,
    thresholdNs: 5e9,
    origin: 0,
    namespaceInode: Number.NaN,
    generation: Number.NaN,
    innerPid: 0,
    uid: Number.NaN,
    proven: false,
    key: pid,
    agent: 0,
    rule: RULE_NONE,
    source: "",
    refused: [],
    status: 0,
    payload: 0,
    listener: 0,
  };
}

/** Renders in one slice. */
export function renderPage(metrics: Metrics, format: PageFormat = "text", nowNs = 5e9): string {
  metrics.exposition.begin(format, nowNs);
  if (!metrics.exposition.step(1, () => 0)) throw new Error("a clock that stands uses no budget");
  return Buffer.concat(metrics.exposition.parts()).toString();
}
