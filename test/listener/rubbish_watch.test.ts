// When a listener's filter goes on and off: by the rate of what it would drop, and by nothing else.
import { describe, expect, test } from "bun:test";
import { EPERM } from "../../ffi/constants.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { DatagramAccounting } from "../../src/events/accounting.ts";
import type { KernelFilter } from "../../src/listener/kernel_filter.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { RubbishWatch } from "../../src/listener/rubbish_watch.ts";
import { ScriptedListener } from "../support/scripted_listener.ts";

/** A filter that says what was done with it, and a flood in front of it. */
class ScriptedFilter implements KernelFilter {
  isCounting = false;
  sample = 0;
  renewed = 0;
  attachResult = 0;
  #counted = 0;
  #dropped = 0;

  /** So many datagrams of rubbish are sent; how many come through to the listener. */
  rubbish(count: number): number {
    const passed = this.sample === 0 ? count : Math.floor(count / this.sample);
    if (this.isCounting) this.#counted += passed;
    if (this.isCounting && this.sample > 0) this.#dropped += passed * (this.sample - 1);
    return passed;
  }

  takeCounted(): number {
    const counted = this.#counted;
    this.#counted = 0;
    return counted;
  }

  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  attach(sample: number): number {
    if (this.attachResult === 0) this.sample = sample;
    return this.attachResult;
  }

  renew(): void {
    this.renewed++;
  }

  detach(): void {
    this.sample = 0;
  }
}

class WatchHarness {
  readonly filter = new ScriptedFilter();
  readonly accounting = new DatagramAccounting();
  readonly told: string[] = [];
  readonly watch: RubbishWatch;
  nowNs = NS_PER_S;

  constructor(hasFilter = true, thresholdNs = 5 * NS_PER_S) {
    const listener = new ScriptedListener();
    const listeners: Listener[] = [
      hasFilter ? Object.assign(listener, { filter: this.filter }) : listener,
    ];
    this.watch = new RubbishWatch({
      listeners,
      accounting: this.accounting,
      thresholdNs,
      reports: {
        filterAttached: (listenerNumber, perSecond) =>
          this.told.push(`on ${listenerNumber} ${Math.round(perSecond)}/s`),
        filterDetached: (listenerNumber, filtered, ns) =>
          this.told.push(`off ${listenerNumber} ${filtered} after ${ns / NS_PER_S} s`),
        filterUnavailable: (listenerNumber, errno) =>
          this.told.push(`none ${listenerNumber} ${errno}`),
      },
    });
    this.watch.look(this.nowNs);
  }

  /**
   * Time passes in turns of 10 ms, in each of which so many datagrams are sent of which the
   * listener refuses what comes.
   */
  run(ms: number, rubbishPerTurn: number, otherRefusedPerTurn = 0): this {
    for (let past = 0; past < ms; past += 10) {
      this.nowNs += 10 * NS_PER_MS;
      const refused = this.filter.rubbish(rubbishPerTurn) + otherRefusedPerTurn;
      this.accounting.received[0]! += refused + 5;
      this.accounting.accepted[0]! += 5;
      this.watch.look(this.nowNs);
    }
    return this;
  }
}

describe("the filter goes on", () => {
  test("above 1,000 datagrams of rubbish a second, within a fifth of a second", () => {
    const harness = new WatchHarness().run(210, 11);
    expect(harness.told).toEqual(["on 0 1100/s"]);
    expect(harness.filter.sample).toBe(64);
  });

  test("within a tenth of a second of a flood at line rate", () => {
    const harness = new WatchHarness().run(100, 3_000);
    expect(harness.filter.sample).toBe(0);
    expect(harness.run(10, 3_000).filter.sample).toBe(64);
  });

  test("sooner, where silence is short: within a tenth of the threshold, at least 10 ms", () => {
    const harness = new WatchHarness(true, 200 * NS_PER_MS).run(20, 3_000);
    expect(harness.filter.sample).toBe(0);
    expect(harness.run(10, 3_000).filter.sample).toBe(64);
    expect(new WatchHarness(true, 20 * NS_PER_MS).run(20, 3_000).filter.sample).toBe(64);
  });

  test("not below that rate, not for a short burst, not for accepted beats", () => {
    expect(new WatchHarness().run(3_000, 9).told).toEqual([]);
    expect(new WatchHarness().run(10, 3_000).run(3_000, 0).told).toEqual([]);
    expect(new WatchHarness().run(3_000, 0).told).toEqual([]);
  });

  test("not for refusals that it could not spare", () => {
    const harness = new WatchHarness().run(3_000, 0, 100);
    expect(harness.told).toEqual([]);
    expect(harness.filter.sample).toBe(0);
  });

  test("nowhere if the kernel refuses it, which is reported once", () => {
    const harness = new WatchHarness();
    harness.filter.attachResult = -EPERM;
    expect(harness.run(5_000, 100).told).toEqual([`none 0 ${EPERM}`]);
    expect(harness.filter.isCounting).toBe(false);
    expect(harness.watch.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("nowhere where the listener has none", () => {
    expect(new WatchHarness(false).run(5_000, 100).told).toEqual([]);
  });
});

describe("while the filter is on", () => {
  test("its estimate grows by what was dropped", () => {
    const harness = new WatchHarness().run(200, 640);
    const before = harness.watch.filteredEstimate[0]!;
    harness.run(1_000, 640);
    expect(harness.watch.filteredEstimate[0]! - before).toBe(100 * 630);
  });

  test("a sample that is a flood itself is made rarer, and made as before when that is over", () => {
    const harness = new WatchHarness().run(200, 128);
    expect(harness.filter.sample).toBe(64);
    harness.run(200, 64 * 4_096);
    expect(harness.filter.sample).toBe(4_096);
    harness.run(3_000, 128);
    expect(harness.filter.sample).toBe(64);
    expect(harness.told).toHaveLength(1);
  });

  test("the socket of the listener is checked every second", () => {
    const harness = new WatchHarness().run(5_200, 128);
    expect(harness.filter.renewed).toBe(5);
  });
});

describe("the filter comes off", () => {
  test("after ten calm seconds, and says what it dropped", () => {
    const harness = new WatchHarness().run(1_000, 128);
    const dropped = harness.watch.filteredEstimate[0];
    harness.run(9_500, 0);
    expect(harness.filter.sample).toBe(64);
    harness.run(2_000, 0);
    expect(harness.filter.sample).toBe(0);
    expect(harness.told[1]).toMatch(new RegExp(`^off 0 ${dropped} after 1[01]\\.?\\d* s$`));
    expect(harness.filter.isCounting).toBe(false);
  });

  test("not while every tenth second is not calm", () => {
    const harness = new WatchHarness().run(500, 128);
    for (let i = 0; i < 3; i++) harness.run(8_500, 0).run(500, 128);
    expect(harness.filter.sample).toBe(64);
  });

  test("and goes on again with the next flood", () => {
    const harness = new WatchHarness().run(500, 128).run(12_000, 0).run(500, 128);
    expect(harness.told.map((text) => text.slice(0, 5).trim())).toEqual(["on 0", "off 0", "on 0"]);
  });
});

test("nextDeadlineNs() is when a look ends that has begun, and never without one", () => {
  const harness = new WatchHarness();
  expect(harness.watch.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  harness.run(100, 11);
  expect(harness.watch.nextDeadlineNs()).toBe(harness.nowNs + 100 * NS_PER_MS);
  harness.run(100, 11);
  expect(harness.watch.nextDeadlineNs()).toBe(harness.nowNs + NS_PER_S);
});
