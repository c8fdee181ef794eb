// The simulation can fail: with a faulty part in one of the seams it says so, and says what. Each
// fault is one that a real mistake could cause.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Mute, Mutes } from "../../src/agents/mutes.ts";
import type { ProcessReader } from "../../src/processes/process_reader.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import type { Stall } from "../../src/events/stall.ts";
import { EventLines } from "../../src/export/event_lines.ts";
import type { ExportedObjects, ObjectKind } from "../../src/export/line_format.ts";
import type { Listener } from "../../src/listener/listener.ts";
import type { ReceivedBatch } from "../../src/listener/received_batch.ts";
import type { AgentRows } from "../../src/metrics/agent_rows.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { ObserverClock, type RawClock } from "../../src/observer/clock.ts";
import type { MemberRule, RuleFinder } from "../../src/agents/rules.ts";
import { Guard, type GuardSettings } from "../../src/observer/guard.ts";
import type { SelfBeat } from "../../src/observer/self_beat.ts";
import { Identification } from "../../src/observer/identification.ts";
import { Observer } from "../../src/observer/observer.ts";
import type { ChildRunner, SpawnedChild } from "../../src/recovery/children/child_runner.ts";
import { Recovery } from "../../src/recovery/recovery.ts";
import type { WaitingStalls } from "../../src/recovery/recovery_options.ts";
import type { Seams } from "./seams.ts";
import { type SimulationOptions, simulate } from "./simulation.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

// A busy machine may be slow; what a run does depends on its seed alone.
setDefaultTimeout(TEST_MS_MAX);

/** What the first failing run reported; a seed that is known to fail soon may be tried first. */
function noticed(seams: Partial<Seams>, options: Partial<SimulationOptions> = {}): string {
  for (const seed of new Set([options.seed ?? 1, 1, 2, 3, 4, 5])) {
    const { failure } = simulate({
      steps: 2_500,
      agents: 40,
      pageEvery: 4,
      seams,
      ...options,
      seed,
    });
    if (failure !== undefined) return `${failure.what}: ${failure.found}`;
  }
  return "nothing";
}

describe("a fault of the mutes is noticed:", () => {
  test("a mute holds for the next process that gets the pid", () => {
    class ClingingMutes extends Mutes {
      override muteOfMember(key: number, _generation: number, nowNs: number): Mute | undefined {
        return this.list().find(
          ({ target, untilNs }) =>
            target.kind === "member" && target.key === key && untilNs > nowNs,
        );
      }
    }
    const found = noticed({ mutes: (options) => new ClingingMutes(options) }, { seed: 7 });
    expect(found).toStartWith("members shown as muted");
  });
});

describe("a fault of the export is noticed:", () => {
  test("the return of a member has no line", () => {
    class LosingLines extends EventLines {
      override add<K extends ObjectKind>(kind: K, event: ExportedObjects[K]): void {
        if (kind !== "resume") super.add(kind, event);
      }
    }
    const found = noticed({ exportLines: (options, text) => new LosingLines(options, text) });
    expect(found).toStartWith("exported line");
  });

  test("a stall has two lines", () => {
    class DoubleLines extends EventLines {
      override onStall(stall: Stall): void {
        super.onStall(stall);
        super.onStall(stall);
      }
    }
    const found = noticed({ exportLines: (options, text) => new DoubleLines(options, text) });
    expect(found).toStartWith("exported line");
  });
});

describe("a fault of the guard is noticed:", () => {
  // Lives with settings at random, where there is one.
  const RUN = { livesSkipped: 2, agents: 16 };

  test("who beats again still counts as silent", () => {
    class ClingingGuard extends Guard {
      override returned(): void {}
    }
    const found = noticed({ guard: (...made) => new ClingingGuard(...made) }, RUN);
    expect(found).toMatch(/^guard|next deadline|^stall/);
  });

  test("a recovery does not wait until the others may have fallen silent", () => {
    class HastyGuard extends Guard {
      override recoveryNs(foundNs: number): number {
        return foundNs;
      }
    }
    const found = noticed({ guard: (...made) => new HastyGuard(...made) }, RUN);
    expect(found).toMatch(/^(recovery outcome|next deadline|requests to the system)/);
  });

  test("it ends although a self-beat is lost", () => {
    class TrustingGuard extends Guard {
      constructor(settings: GuardSettings, selfBeat: SelfBeat) {
        const { isKept } = selfBeat;
        super(settings, { isKept, sentNs: Number.POSITIVE_INFINITY, tookNs: 0 });
      }
    }
    const found = noticed({ guard: (...made) => new TrustingGuard(...made) }, { ...RUN, seed: 23 });
    expect(found).toMatch(/^(guard|stall|next deadline)/);
  });

  test("nothing speaks for the observer's own fault", () => {
    class ProudGuard extends Guard {
      override saw(): void {}
    }
    const found = noticed({ guard: (...made) => new ProudGuard(...made) }, { ...RUN, seed: 21 });
    expect(found).toMatch(/^(guard|stall|next deadline|event row)/);
  });
});

describe("a fault of a listener is noticed:", () => {
  test("a datagram is dropped after it was taken", () => {
    let receives = 0;
    const drops = (count: number) => (++receives % 50 === 0 && count > 1 ? count - 1 : count);
    const seam = { listener: (real: Listener) => new ChangedListener(real, drops) };
    expect(noticed(seam, { seed: 3 })).toMatch(/event row|datagrams consumed/);
  });

  test("network beats are stamped as attested by the kernel", () => {
    const stamps = (count: number, batch: ReceivedBatch) => {
      for (let i = 0; i < count; i++) if (batch.origin[i] === 3) batch.origin[i] = 0;
      return count;
    };
    const seam = { listener: (real: Listener) => new ChangedListener(real, stamps) };
    expect(noticed(seam)).toMatch(/event row|slot/);
  });

  test("what waited in its socket is taken for sent when it was received", () => {
    const late = (count: number, batch: ReceivedBatch) => {
      batch.sentAfterGeneration += 1e12;
      return count;
    };
    const seam = { listener: (real: Listener) => new ChangedListener(real, late) };
    expect(noticed(seam)).toMatch(/proven|promise: no recovery/);
  });

  test("the allow list is not asked", () => {
    const seam = { listener: (real: Listener) => new ChangedListener(real, (n) => n, false) };
    // The first life has no allow list.
    expect(noticed(seam, { livesSkipped: 1 })).toMatch(/event row/);
  });
});

describe("a fault of the observer is noticed:", () => {
  test("the threshold is one nanosecond too short", () => {
    const seam: Partial<Seams> = {
      observer: (options) => new Observer({ ...options, thresholdNs: options.thresholdNs - 1 }),
    };
    expect(noticed(seam)).toContain("next deadline");
  });

  test("what waits at the end of a pause is not heard first", () => {
    const seam: Partial<Seams> = {
      observer: (options) => {
        const observer = new Observer(options);
        observer.silence.pauseIsOver = () => {};
        return observer;
      },
    };
    expect(noticed(seam)).toMatch(/outcome|stall|next deadline|observer time/);
  });

  test("a suspend is taken off, where it is silence", () => {
    const seam: Partial<Seams> = {
      clock: (raw) => new ObserverClock({ readNs: () => raw.readNs() }),
    };
    expect(noticed(seam, { livesSkipped: 3, seed: 4 })).toMatch(/next deadline|stall/);
  });

  test("a queue that was found full is held against its senders", () => {
    const seam: Partial<Seams> = {
      observer: (options) => {
        const observer = new Observer(options);
        observer.pauses.foundFull = () => {};
        return observer;
      },
    };
    expect(noticed(seam, { livesSkipped: 3, seed: 12 })).toMatch(/next deadline|stall|late/);
  });

  test("stalls are hidden in every other turn", () => {
    expect(noticed({ observer: (options) => new DrowsyObserver(options) })).toMatch(/stall/);
  });

  test("a stall is lost now and then", () => {
    expect(noticed({ observer: (options) => new ForgetfulObserver(options) })).toMatch(/stall/);
  });

  test("a stall has the number of another agent", () => {
    expect(noticed({ observer: (options) => new ConfusedObserver(options) })).toMatch(
      /promise: the name of an agent/,
    );
  });

  test("the rule of a member is found and not obeyed", () => {
    class Forgetful extends Identification {
      override changeRules(): void {}
    }
    const forgetful: Partial<Seams> = {
      identification: (options) => new Forgetful({ ...options, findRule: () => undefined }),
    };
    expect(noticed(forgetful, { livesSkipped: 1 })).toMatch(/next deadline|stall|end of grace/);
    const loosened =
      (find: RuleFinder | undefined): RuleFinder =>
      (facts) => {
        const rule = find?.(facts);
        return rule && { ...rule, thresholdNs: rule.thresholdNs + 1 };
      };
    class Loose extends Identification {
      override changeRules(findRule: RuleFinder): void {
        super.changeRules(loosened(findRule));
      }
    }
    const loose: Partial<Seams> = {
      identification: (options) => new Loose({ ...options, findRule: loosened(options.findRule) }),
    };
    expect(noticed(loose, { livesSkipped: 1 })).toMatch(/next deadline|stall/);
  });

  test.each<[string, Partial<MemberRule>, RegExp]>([
    ["late is found too late", { lateNs: NS_PER_S / 5 + 1 }, /next deadline|late/],
    ["nobody is late", { lateNs: Number.POSITIVE_INFINITY }, /next deadline|late/],
    ["a new member is judged at once", { graceNs: 0 }, /end of grace/],
  ])("%s", (_what, wrong, words) => {
    const seam: Partial<Seams> = {
      identification: (options) => {
        const findRule: RuleFinder = (facts) => {
          const rule = options.findRule?.(facts);
          return rule && { ...rule, ...wrong };
        };
        return new Identification({ ...options, findRule });
      },
    };
    expect(noticed(seam, { livesSkipped: 1 })).toMatch(words);
  });

  test("a member is told late twice", () => {
    const seam: Partial<Seams> = { observer: (options) => new RepeatingObserver(options) };
    expect(noticed(seam, { livesSkipped: 1 })).toMatch(/late/);
  });

  test("the plan of a rule is not asked", () => {
    const seam: Partial<Seams> = {
      recovery: (options) => new Recovery({ ...options, policyOf: () => undefined }),
    };
    expect(noticed(seam, { livesSkipped: 1 })).toMatch(/recovery outcome/);
  });

  test("a stall is reported twice now and then", () => {
    expect(noticed({ observer: (options) => new InsistentObserver(options) })).toMatch(
      /promise: one stall per silence run|^stall/,
    );
  });

  test("agents are evicted before their stall was reported", () => {
    const seam: Partial<Seams> = {
      observer(options) {
        const observer = new Observer({ ...options, evictionPolicy: "balanced" });
        const { eviction } = observer.tracker;
        const change = eviction.change.bind(eviction);
        // A reload brings another policy.
        eviction.change = (to) => change({ ...to, evictionPolicy: "balanced" });
        return observer;
      },
    };
    // The first lives have room for all agents.
    expect(noticed(seam, { livesSkipped: 2, seed: 6 })).not.toBe("nothing");
  });

  test("a beat of the daemon to itself is judged like any other", () => {
    const seam: Partial<Seams> = {
      observer: (options) => new Observer({ ...options, selfBeats: undefined }),
    };
    expect(noticed(seam)).toStartWith("received by");
  });

  test("foreign namespaces are let in", () => {
    const seam: Partial<Seams> = {
      observer: (options) => new Observer({ ...options, allowCrossNamespace: true }),
    };
    expect(noticed(seam)).toMatch(/event row/);
  });

  test("a number of a container is taken for that of the next process", () => {
    const seam: Partial<Seams> = { processes: (real) => new ShiftedReader(real) };
    expect(noticed(seam)).not.toBe("nothing");
  });

  test("the clock goes back", () => {
    expect(noticed({ clock: (raw) => new UnclampedClock(raw) }, { seed: 3 })).not.toBe("nothing");
  });

  test("start times of processes are read once and kept", () => {
    expect(noticed({ processes: (real) => new StaleReader(real) })).not.toBe("nothing");
  });
});

describe("a fault of recovery is noticed:", () => {
  test("a stall is acted on although the process is another or the agent is back", () => {
    const seam: Partial<Seams> = {
      recovery: (options) => new Recovery({ ...options, freshness: () => 0 }),
    };
    expect(noticed(seam)).not.toBe("nothing");
  });

  test("the debounce is too short", () => {
    const seam: Partial<Seams> = {
      recovery: (options) => {
        const config = { ...options.config, debounceNs: options.config.debounceNs / 2 };
        return new Recovery({ ...options, config });
      },
    };
    expect(noticed(seam)).toMatch(/outcome/);
  });

  test("a turn spawns without a limit", () => {
    const seam: Partial<Seams> = { recovery: (options) => new HastyRecovery(options) };
    expect(noticed(seam, { agents: 100, seed: 9 })).toMatch(/promise: spawns per turn|stall/);
  });

  test("what could not be started is not tried again", () => {
    const seam: Partial<Seams> = {
      recovery: ({ runner, ...options }) => {
        const forgets: ChildRunner = {
          spawn(...asked) {
            const { failure, ...child } = runner.spawn(...asked);
            if (failure === undefined) return child as SpawnedChild;
            return { failure: { ...failure, isTransient: false } };
          },
          signalGroup: (childPid, signal) => runner.signalGroup(childPid, signal),
        };
        return new Recovery({ ...options, runner: forgets });
      },
    };
    expect(noticed(seam)).toMatch(/recovery outcome/);
  });

  test("any process has the unit restarted in whose group it runs", () => {
    const seam: Partial<Seams> = {
      recovery: (options) => {
        const config = { ...options.config, restartUnits: ["*.service"] };
        return new Recovery({ ...options, config });
      },
    };
    expect(
      noticed(seam, { agents: 8, steps: 300, pageEvery: 100, livesSkipped: 2, seed: 2 }),
    ).toMatch(/promise: only/);
  });

  test("a command is killed too early", () => {
    const seam: Partial<Seams> = {
      recovery: (options) => {
        const config = { ...options.config, killGraceNs: 0 };
        return new Recovery({ ...options, config });
      },
    };
    expect(noticed(seam)).not.toBe("nothing");
  });
});

describe("a fault of the metrics is noticed:", () => {
  test("rows of removed pids stay", () => {
    const seam: Partial<Seams> = { metrics: (options) => new HoardingMetrics(options) };
    expect(noticed(seam, { steps: 8_000, seed: 3 })).toContain("sample varta_");
  });

  test("a stall is counted twice", () => {
    const seam: Partial<Seams> = { metrics: (options) => new DoubleMetrics(options) };
    expect(noticed(seam)).toContain("sample varta_stalls_total");
  });
});

describe("a fault of the rows of agents is noticed:", () => {
  const changed = (change: (rows: AgentRows) => void): Partial<Seams> => ({
    metrics: (options) => {
      change(options.agents!.rows);
      return new Metrics(options);
    },
  });

  test("beats of members that left are lost", () => {
    const found = noticed(
      changed((rows) => {
        const left = rows.left.bind(rows);
        rows.left = (agent) => left(agent, 0);
      }),
    );
    expect(found).toStartWith("beats of all agents");
  });

  test("stalls are counted for the agent that stalled before", () => {
    let before: Stall | undefined;
    const found = noticed(
      changed((rows) => {
        const stalled = rows.stalled.bind(rows);
        rows.stalled = (stall) => {
          stalled(before ?? stall);
          before = stall;
        };
      }),
      { agents: 16 },
    );
    expect(found).toStartWith("sample varta_agent_stalls_total");
  });
});

class ChangedListener implements Listener {
  readonly kind;
  readonly name;
  readonly fd;
  readonly batch;
  readonly allowList;
  readonly containers;
  readonly #real: Listener;
  readonly #change: (count: number, batch: ReceivedBatch) => number;

  constructor(
    real: Listener,
    change: (count: number, batch: ReceivedBatch) => number,
    keepsAllowList = true,
  ) {
    this.kind = real.kind;
    this.name = real.name;
    this.fd = real.fd;
    this.batch = real.batch;
    this.containers = real.containers ?? false;
    this.allowList = keepsAllowList ? real.allowList : undefined;
    this.#real = real;
    this.#change = change;
  }

  receive(nowNs: number): number {
    return this.#change(this.#real.receive(nowNs), this.batch);
  }

  close(): void {
    this.#real.close();
  }
}

class DrowsyObserver extends Observer {
  #asked = 0;

  override hasPendingStalls(): boolean {
    this.#asked += 1;
    return this.#asked % 2 === 0 && super.hasPendingStalls();
  }
}

class ConfusedObserver extends Observer {
  override takeStall(): Stall | undefined {
    const stall = super.takeStall();
    return stall === undefined ? undefined : { ...stall, agent: stall.agent >>> 1 };
  }
}

class ForgetfulObserver extends Observer {
  #taken = 0;

  override takeStall(): Stall | undefined {
    this.#taken += 1;
    const stall = super.takeStall();
    return this.#taken % 10 === 0 ? (super.takeStall() ?? stall) : stall;
  }
}

class RepeatingObserver extends Observer {
  override pump(...args: Parameters<Observer["pump"]>): number {
    const consumed = super.pump(...args);
    const { lates } = this.silence.stalls;
    lates.push(...lates.slice(0, 1));
    return consumed;
  }
}

class InsistentObserver extends Observer {
  #taken = 0;
  #last: Stall | undefined;

  override takeStall(): Stall | undefined {
    this.#taken += 1;
    const stall = super.takeStall();
    const told = this.#taken % 10 === 0 ? this.#last : stall;
    this.#last = stall;
    return told;
  }
}

class UnclampedClock extends ObserverClock {
  readonly #source: RawClock;

  constructor(raw: RawClock) {
    super(raw);
    this.#source = raw;
  }

  override nowNs(): number {
    super.nowNs();
    return this.#source.readNs();
  }
}

class StaleReader implements ProcessReader {
  readonly real: ProcessReader;
  readonly #kept = new Map<number, number>();

  constructor(real: ProcessReader) {
    this.real = real;
  }

  startTime(pid: number): number {
    const kept = this.#kept.get(pid) ?? this.real.startTime(pid);
    this.#kept.set(pid, kept);
    return kept;
  }

  hasEnded(pid: number, startTime: number): boolean {
    return this.real.hasEnded(pid, startTime);
  }

  realUid(pid: number): number {
    return this.real.realUid(pid);
  }

  innermostPid(pid: number): number {
    return this.real.innermostPid(pid);
  }

  namespaceInode(pid: number, observerInode: number): number {
    return this.real.namespaceInode(pid, observerInode);
  }
}

class ShiftedReader extends StaleReader {
  override startTime(pid: number): number {
    return this.real.startTime(pid);
  }

  override innermostPid(pid: number): number {
    return this.real.innermostPid(pid) + 1;
  }
}

class HastyRecovery extends Recovery {
  /** Every stall begins a turn of its own. */
  override decide(stalls: WaitingStalls, nowNs: number): void {
    while (!stalls.isEmpty) {
      let isTaken = false;
      super.decide(
        {
          get isEmpty() {
            return isTaken;
          },
          take() {
            isTaken = true;
            return stalls.take();
          },
        },
        nowNs,
      );
    }
  }
}

class HoardingMetrics extends Metrics {
  override onRemoved(): void {}
}

class DoubleMetrics extends Metrics {
  override onStall(stall: Stall): void {
    super.onStall(stall);
    super.onStall(stall);
  }
}
