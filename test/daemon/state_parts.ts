// The parts of a daemon that its state is of, real ones with small bounds, for tests.
import { Mutes } from "../../src/agents/mutes.ts";
import { Counters } from "../../src/base/counters.ts";
import { SenderTable } from "../../src/listener/sender_table.ts";
import { RECOVERY } from "../../src/recovery/counters.ts";
import { History } from "../../src/recovery/history.ts";
import { StormLimit } from "../../src/recovery/storm_limit.ts";
import { NoChildren } from "../support/no_children.ts";
import { Harness } from "../tracker/harness.ts";

const SETTINGS = {
  ...{ debounceNs: 500, backoffMaxNs: undefined, backoffResetNs: 600 },
  ...{ budget: 3, budgetWindowNs: 5_000 },
};

const GUARD = {
  ...{ isActive: true, sinceNs: 950, windowNs: 100, silent: 8, members: 12 },
  restNs: Number.NaN,
};

export class Parts {
  readonly harness = new Harness({ capacity: 100 });
  readonly table = this.harness.tracker.table;
  readonly mutes = new Mutes({ agentName: () => "worker", ended: () => {} });
  readonly history = new History(
    { capacity: 10 },
    SETTINGS,
    new Counters(RECOVERY, new NoChildren()),
  );
  readonly storm = new StormLimit({ stormLimit: 1, stormWindowNs: 5_000 });
  readonly edge = new SenderTable(4);
  readonly senders = new Map([["edge", this.edge]]);
  readonly names = {
    ruleName: () => "worker",
    listenerName: () => "local",
    stallOf: (slot: number) =>
      this.table.slots.isLatched(slot)
        ? ({ verdict: "hung", stalledNs: 900, isRecovering: true } as const)
        : ({ verdict: "", stalledNs: Number.NaN, isRecovering: false } as const),
    heldOf: () => "" as const,
  };
  readonly missing = () => [{ agent: "db", sinceNs: 400, isTold: true }];
  readonly auditHead = () => ({ file: "/var/log/audit.log", seq: 4, chain: "ab" });
  readonly graces = () => [{ agent: "cron", sinceNs: 300, expected: 1 }];
  readonly guard = () => GUARD;
  readonly told = () => [];
  readonly listenerNumber = (name: string) => (name === "local" ? 3 : undefined);
  readonly ended = new Set<number>();
  readonly hasEnded = (pid: number) => this.ended.has(pid);
}
