// The loop with a real socket, a real page and the runtime's real event loop (spec 12 section 1):
// beats at once, requests in between, and next to nothing when nothing happens.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { stat } from "node:fs/promises";
import { clockNs } from "../../ffi/clock.ts";
import { CLOCK_MONOTONIC, EIO } from "../../ffi/constants.ts";
import { closeFd, openPipe, type Pipe } from "../../ffi/pipe.ts";
import { RECEIVE_FAILURES_MAX } from "../../src/base/limits.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { METRIC_BLOCKS } from "../../src/daemon/metric_blocks.ts";
import { SystemClock } from "../../src/observer/system_clock.ts";
import { type Deadline, Deadlines } from "../../src/daemon/deadline.ts";
import { Loop, type LoopOptions, type LoopServer } from "../../src/daemon/loop.ts";
import { findRuntimeEvents } from "../../src/daemon/runtime_events.ts";
import { Tick, type TickExport } from "../../src/daemon/tick.ts";
import type { Stall } from "../../src/events/stall.ts";
import { HttpServer } from "../../src/http/http_server.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { Identification } from "../../src/observer/identification.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { RubbishWatch } from "../../src/listener/rubbish_watch.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { Observer } from "../../src/observer/observer.ts";
import { renderPage } from "../metrics/fixture.ts";
import { serverOptions } from "../http/fixture.ts";
import { recoveryHarness, ScriptedRunner } from "../recovery/harness.ts";
import { ScriptedListener } from "../support/scripted_listener.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

const WAIT_MS_MAX = 1_000;

// Longer than a loop that goes wrong is left running: two of them in one process would wait for
// each other.
setDefaultTimeout(TEST_MS_MAX);

interface SubjectOptions
  extends Partial<Pick<LoopOptions, "runtimeFd" | "quietNsMax" | "iterationBudgetNs">> {
  readonly http?: LoopServer;
  readonly thresholdMs?: number;
  readonly pauseGapMs?: number;
  readonly listeners: readonly Listener[];
  readonly exporter?: TickExport;
  readonly deadlines?: readonly Deadline[];
  readonly withHttp?: boolean;
}

/** The loop with everything that it drives, in this process. */
class Subject {
  readonly observer: Observer;
  readonly metrics: Metrics;
  readonly stalls: Stall[] = [];
  /** What the loop runs in each turn; true ends it. */
  shouldStop: () => boolean = () => false;
  readonly #options: SubjectOptions;
  #http: HttpServer | undefined;
  loop: Loop | undefined;

  constructor(options: SubjectOptions) {
    this.#options = options;
    const processes = new ProcReader();
    this.observer = new Observer({
      thresholdNs: (options.thresholdMs ?? 60_000) * NS_PER_MS,
      clock: new ObserverClock(new SystemClock("monotonic")),
      processes,
      observerInode: processes.ownNamespaceInode(),
      pauseGapNs: options.pauseGapMs === undefined ? undefined : options.pauseGapMs * NS_PER_MS,
    });
    for (const listener of options.listeners) this.observer.addListener(listener);
    this.metrics = new Metrics({
      blocks: METRIC_BLOCKS,
      capacity: 256,
      listeners: options.listeners,
      accounting: this.observer.accounting,
      perPid: true,
      build: { version: "1", revision: "r", runtime: "bun", target: "t" },
    });
  }

  get turns(): number {
    return this.loop?.turns ?? 0;
  }

  /** Runs until `shouldStop` says so; gives up after ten seconds. */
  async run(shouldStop: () => boolean): Promise<void> {
    if (this.#options.withHttp) this.#http = this.#openHttp();
    const giveUpNs = monotonicNs() + 10 * NS_PER_S;
    const stopped = Promise.withResolvers<void>();
    const deadlines = new Deadlines();
    deadlines.add(...(this.#options.deadlines ?? []));
    const http = this.#options.http ?? this.#http;
    const servers = http === undefined ? [] : [http];
    this.loop = new Loop({
      observer: this.observer,
      tick: this.#makeTick(),
      metrics: this.metrics,
      servers: () => servers,
      runtimeFd: this.#options.runtimeFd ?? findRuntimeEvents(),
      deadlines,
      monotonicNs,
      iterationBudgetNs: this.#options.iterationBudgetNs ?? (() => NS_PER_S),
      turnBegins: () => {},
      quietNsMax: this.#options.quietNsMax ?? Number.POSITIVE_INFINITY,
      shouldStop: () => shouldStop() || monotonicNs() > giveUpNs,
      stopped: stopped.resolve,
    });
    this.loop.start();
    await stopped.promise;
    this.#http?.beginClose();
    if (monotonicNs() > giveUpNs)
      throw new Error(`the loop had to be stopped after ${this.turns} turns`);
  }

  async fetchPage(headers: Record<string, string> = {}): Promise<string> {
    const response = await fetch(`http://${this.#http!.address}/metrics`, { headers });
    return await response.text();
  }

  close(): void {
    this.observer.close();
  }

  #makeTick(): Tick {
    return new Tick({
      observer: this.observer,
      metrics: this.metrics,
      identification: new Identification({
        tracker: this.observer.tracker,
        reader: new ScriptedIdentities(),
        listenerNames: [],
        monotonicNs: () => 0,
      }),
      recovery: recoveryHarness({ runner: new ScriptedRunner(), config: { command: undefined } })
        .recovery,
      exporter: this.#options.exporter,
      reports: {
        stalled: (stall) => this.stalls.push(stall),
        late: () => {},
        resumed: () => {},
        left: () => {},
        sharedPid: () => {},
        namespaceConflict: () => {},
        paused: () => {},
        slowTurn: () => {},
      },
      refusals: { look: () => false },
      rubbish: new RubbishWatch({
        listeners: this.observer.listeners,
        accounting: this.observer.accounting,
        thresholdNs: NS_PER_S,
        reports: {
          filterAttached: () => {},
          filterDetached: () => {},
          filterUnavailable: () => {},
        },
      }),
      wallOffsetNs: () => 0,
      monotonicNs,
    });
  }

  #openHttp(): HttpServer {
    const nowNs = () => this.observer.clock.nowNs();
    return new HttpServer(serverOptions(this.metrics.exposition, nowNs));
  }
}

function monotonicNs(): number {
  return clockNs(CLOCK_MONOTONIC);
}

function elapsedMs(sinceNs: number): number {
  return (monotonicNs() - sinceNs) / NS_PER_MS;
}

function unixListener(directory: TemporaryDirectory): UnixListener {
  return new UnixListener({
    name: "main",
    path: directory.at("v.sock"),
    mode: 0o600,
    gid: undefined,
    rcvbufBytes: 0,
    allowList: undefined,
  });
}

/** Notes how long each beat of loop_agent.ts was under way, in microseconds. */
class DelayExport implements TickExport {
  readonly delaysUs: number[] = [];

  setWallOffsetNs(): void {}

  onBatch(batch: Parameters<TickExport["onBatch"]>[0], count: number): boolean {
    const nowUs = Math.floor(monotonicNs() / 1_000);
    for (let i = 0; i < count; i++)
      this.delaysUs.push((nowUs - batch.payload[i]! + 2 ** 33) % 2 ** 32);
    return true;
  }

  onLate(): void {}

  onStall(): void {}

  onRemoved(): void {}

  onLeft(): void {}

  get medianUs(): number {
    return this.delaysUs.toSorted((a, b) => a - b)[this.delaysUs.length >> 1]!;
  }
}

function startAgent(
  socket: string,
  beats: number,
  intervalMs: number,
  ...how: readonly "connected"[]
): Bun.Subprocess {
  const script = `${import.meta.dir}/loop_agent.ts`;
  return Bun.spawn([process.execPath, script, socket, `${beats}`, `${intervalMs}`, ...how], {
    stderr: "inherit",
  });
}

describe("Loop", () => {
  test("takes beats when they come by the socket before the last one, too", async () => {
    using directory = new TemporaryDirectory();
    const listener = unixListener(directory);
    const exporter = new DelayExport();
    const agents = [startAgent(listener.path, 20, 30, "connected")];
    const rebind: Deadline = {
      nextDeadlineNs: () => Number.POSITIVE_INFINITY,
      maintain: () => {
        if (listener.formerFd >= 0 || exporter.delaysUs.length === 0) return;
        unlinkSync(listener.path);
        listener.rebind(0);
      },
    };
    const subject = new Subject({ listeners: [listener], exporter, deadlines: [rebind] });
    await subject.run(() => {
      const { length } = exporter.delaysUs;
      // One after the other: the beats of one socket would be found when those of the other one
      // wake the loop.
      if (length === 20 && agents.length === 1) agents.push(startAgent(listener.path, 20, 30));
      return length === 40;
    });
    subject.close();
    for (const agent of agents) expect(await agent.exited).toBe(0);
    // Without a wake-up they would wait for half a second on average.
    const late = exporter.delaysUs.filter((us) => us > 100_000);
    expect(late.length).toBeLessThan(10);
  });

  test("takes beats when they come, not when a wait is over", async () => {
    using directory = new TemporaryDirectory();
    const exporter = new DelayExport();
    const subject = new Subject({ listeners: [unixListener(directory)], exporter });
    const agent = startAgent(directory.at("v.sock"), 40, 7);
    await subject.run(() => exporter.delaysUs.length === 40);
    subject.close();
    await agent.exited;
    // Alone on the machine it is about 0.05 ms; a loop that slept through beats would show 100 ms
    // and more.
    expect(exporter.medianUs).toBeLessThan(20_000);
    expect(subject.observer.accounting.accepted[0]).toBe(40);
  });

  test("finds a stall as soon as its threshold has passed, without a datagram to wake it", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject({ listeners: [unixListener(directory)], thresholdMs: 100 });
    const agent = startAgent(directory.at("v.sock"), 1, 0);
    await subject.run(() => subject.stalls.length > 0);
    await agent.exited;
    subject.close();
    const [stall] = subject.stalls;
    expect(stall!.pid).toBe(agent.pid);
    const silenceMs = (stall!.observerNs - stall!.lastNs) / NS_PER_MS;
    expect(silenceMs).toBeGreaterThanOrEqual(100);
    // The wait ends with the threshold, rounded up to a millisecond; the rest is a busy machine.
    expect(silenceMs).toBeLessThan(100 + WAIT_MS_MAX / 2);
  });

  test("answers requests while beats flow", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject({ listeners: [unixListener(directory)], withHttp: true });
    const agent = startAgent(directory.at("v.sock"), 10_000, 3);
    const pages: string[] = [];
    let asked: Promise<void> | undefined;
    await subject.run(() => {
      const accepted = subject.observer.accounting.accepted[0]!;
      if (accepted >= 5 && asked === undefined)
        asked = subject.fetchPage({ "accept-encoding": "identity" }).then((page) => {
          pages.push(page);
        });
      return pages.length === 1;
    });
    agent.kill();
    await agent.exited;
    subject.close();
    expect(pages[0]).toMatch(/^varta_datagrams_accepted_total\{listener="main"\} ([5-9]|\d\d+)$/m);
  });

  test.each(["identity", "gzip"])(
    "answers a request of a quiet daemon within a few turns (%s)",
    async (encoding) => {
      using directory = new TemporaryDirectory();
      const subject = new Subject({ listeners: [unixListener(directory)], withHttp: true });
      let askedAtTurn = -1;
      let answeredAtTurn = -1;
      await subject.run(() => {
        if (subject.turns === 1 && askedAtTurn < 0) {
          askedAtTurn = 1;
          void subject.fetchPage({ "accept-encoding": encoding }).then(() => {
            answeredAtTurn = subject.turns;
          });
        }
        return answeredAtTurn >= 0;
      });
      subject.close();
      // A page that is rendered and then not sent would lie there for turns of a second.
      expect(answeredAtTurn - askedAtTurn).toBeLessThan(16);
    },
  );

  test.each([
    { quietMs: 5_000, waitMs: WAIT_MS_MAX },
    { quietMs: 100, waitMs: 100 },
  ])(
    "waits for $waitMs ms when nothing happens and the watchdog bears $quietMs ms",
    async ({ quietMs, waitMs }) => {
      using directory = new TemporaryDirectory();
      const listeners = [unixListener(directory)];
      const subject = new Subject({ listeners, quietNsMax: quietMs * NS_PER_MS });
      let turns = 0;
      let turnedAtNs = monotonicNs();
      let longestMs = 0;
      // Some wake-ups may be left over from other work of the runtime.
      await subject.run(() => {
        if (subject.turns > turns) {
          longestMs = Math.max(longestMs, elapsedMs(turnedAtNs));
          turns = subject.turns;
          turnedAtNs = monotonicNs();
        }
        return longestMs >= 0.9 * waitMs;
      });
      subject.close();
      expect(longestMs).toBeWithin(0.9 * waitMs, waitMs + 500);
    },
  );

  test("waits no longer than a pause may hide in, while a deadline runs", async () => {
    using directory = new TemporaryDirectory();
    const listeners = [unixListener(directory)];
    const subject = new Subject({ listeners, pauseGapMs: 20 });
    const agent = startAgent(directory.at("v.sock"), 1, 0);
    await subject.run(() => subject.observer.accounting.accepted[0] === 1);
    await agent.exited;
    // The beat alone and what the runtime does are a few turns; waits of a second would take half a
    // minute.
    const beganNs = monotonicNs();
    await subject.run(() => subject.turns >= 30);
    subject.close();
    expect(elapsedMs(beganNs)).toBeLessThan(5 * WAIT_MS_MAX);
  });

  test("wakes up at once for work of the runtime", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject({ listeners: [unixListener(directory)] });
    let done = 0;
    function goOn(): void {
      done += 1;
      if (done < 20) void stat("/").then(goOn);
    }
    const beganNs = monotonicNs();
    await subject.run(() => {
      if (subject.turns === 1 && done === 0) goOn();
      return done === 20;
    });
    subject.close();
    // Twenty waits would take twenty seconds.
    expect(elapsedMs(beganNs)).toBeLessThan(10 * WAIT_MS_MAX);
  });

  test("is on time for the deadlines of others, and measures every turn", async () => {
    using directory = new TemporaryDirectory();
    const periodNs = 20 * NS_PER_MS;
    let dueNs = 0;
    let times = 0;
    const deadline: Deadline = {
      nextDeadlineNs: () => dueNs,
      maintain: (nowNs) => {
        if (nowNs < dueNs) return;
        dueNs = nowNs + periodNs;
        times += 1;
      },
    };
    const subject = new Subject({ listeners: [unixListener(directory)], deadlines: [deadline] });
    const beganNs = monotonicNs();
    await subject.run(() => times >= 20);
    subject.close();
    expect(elapsedMs(beganNs)).toBeGreaterThan(19 * 20 - 25);
    expect(elapsedMs(beganNs)).toBeLessThan(20 * WAIT_MS_MAX);
    // One turn per deadline, not a spin towards it; and one observation of each duration per turn.
    expect(subject.turns).toBeLessThan(60);
    const page = renderPage(subject.metrics);
    for (const name of ["iteration_seconds", "serve_pending_seconds"])
      expect(page).toContain(`varta_observer_${name}_count ${subject.turns}\n`);
    for (const stage of ["receive", "judge", "recover", "reap", "maintain", "serve"])
      expect(page).toContain(
        `varta_observer_stage_seconds_count{stage="${stage}"} ${subject.turns}\n`,
      );
  });

  test("counts the turns that took longer than their budget", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject({
      listeners: [unixListener(directory)],
      iterationBudgetNs: () => 0,
    });
    await subject.run(() => subject.turns >= 2);
    subject.close();
    expect(renderPage(subject.metrics)).toContain(
      `varta_observer_iteration_budget_exceeded_total ${subject.turns}\n`,
    );
  });

  test("looks at the HTTP server when its rest is over, and not before", async () => {
    using directory = new TemporaryDirectory();
    const busy = openPipe() as Pipe;
    writeSync(busy.writeFd, "x");
    let restEndNs = 0;
    let slices = 0;
    const http = {
      canBeWaitedFor: true,
      // It would be readable all the time.
      get fd() {
        return restEndNs > 0 ? -1 : busy.readFd;
      },
      pending: false,
      get nextDeadlineNs() {
        return restEndNs > 0 ? restEndNs : Number.POSITIVE_INFINITY;
      },
      serveSlice: () => {
        slices++;
        restEndNs = subject.observer.clock.nowNs() + 50 * NS_PER_MS;
        return false;
      },
    };
    const subject = new Subject({ listeners: [unixListener(directory)], http });
    const startNs = monotonicNs();
    await subject.run(() => slices === 5);
    subject.close();
    closeFd(busy.readFd);
    closeFd(busy.writeFd);
    expect(elapsedMs(startNs)).toBeGreaterThanOrEqual(200);
    expect(subject.turns).toBeLessThan(20);
  });

  test("lets the runtime go on with what a server was asked for", async () => {
    using directory = new TemporaryDirectory();
    const clients = openPipe() as Pipe;
    let answer = "";
    let askedTurn = 0;
    const http = {
      canBeWaitedFor: true,
      fd: clients.readFd,
      get pending() {
        // By then nothing else is there for the runtime.
        return subject.turns > 5 && askedTurn === 0;
      },
      nextDeadlineNs: Number.POSITIVE_INFINITY,
      serveSlice: () => {
        askedTurn = subject.turns;
        void Promise.resolve().then(() => {
          answer = "yes";
        });
        return false;
      },
    };
    const listeners = [unixListener(directory)];
    const subject = new Subject({ listeners, http, quietNsMax: 20 * NS_PER_MS });
    await subject.run(() => answer !== "");
    subject.close();
    closeFd(clients.readFd);
    closeFd(clients.writeFd);
    // Else it waits for the next turn in which the loop yields anyway.
    expect(subject.turns - askedTurn).toBeLessThan(4);
  });

  test("without the runtime's descriptor waits in short steps and still serves both sides", async () => {
    using directory = new TemporaryDirectory();
    const options = { listeners: [unixListener(directory)], withHttp: true, runtimeFd: -1 };
    const subject = new Subject(options);
    const agent = startAgent(directory.at("v.sock"), 5, 1);
    let page = "";
    await subject.run(() => {
      if (subject.turns === 1)
        void subject.fetchPage({ "accept-encoding": "identity" }).then((text) => {
          page = text;
        });
      return page !== "" && subject.observer.accounting.accepted[0] === 5;
    });
    subject.close();
    await agent.exited;
    expect(page).toContain("varta_watch_uptime_seconds");
  });

  test("does not spin on a listener that always fails: it leaves the wait until it is tried again", async () => {
    // A regular file is always readable for poll(2).
    const broken = new ScriptedListener({ fd: openSync(import.meta.path, "r") });
    broken.queue(...Array.from({ length: 1_000 }, () => -EIO));
    const subject = new Subject({ listeners: [broken] });
    const beganNs = monotonicNs();
    await subject.run(() => broken.receivedAtNs.length > RECEIVE_FAILURES_MAX);
    closeSync(broken.fd);
    // The ninth receive comes a second after the eighth, with the idle turns of a second in
    // between.
    expect(elapsedMs(beganNs)).toBeGreaterThan(990);
    expect(subject.turns).toBeLessThan(RECEIVE_FAILURES_MAX + 12);
    expect(subject.observer.ioErrors).toBe(RECEIVE_FAILURES_MAX + 1);
  });

  test("stops at the head of a turn and reports it once", async () => {
    using directory = new TemporaryDirectory();
    const subject = new Subject({ listeners: [unixListener(directory)] });
    await subject.run(() => true);
    subject.close();
    expect(subject.turns).toBe(0);
  });
});
