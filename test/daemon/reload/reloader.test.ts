// When a reload runs, what it says, and that the service manager hears of its end (spec 17 sections
// 1, 2 and 6).
import { describe, expect, test } from "bun:test";
import { NO_DOORS } from "../../../src/daemon/door_change.ts";
import { LiveConfig } from "../../../src/daemon/live_config.ts";
import { type NextResult, readNext } from "../../../src/daemon/reload/next_config.ts";
import { Reloader } from "../../../src/daemon/reload/reloader.ts";
import type { Config } from "../../../src/config/config.ts";
import type { LoadSuccess } from "../../../src/config/load_result.ts";
import type { ReloadResult } from "../../../src/view/reload_view.ts";
import { FixtureHost } from "../../config/fixture_host.ts";
import { until } from "../../support/until.ts";

const LISTENER = '[[listener]]\nkind = "unix"\npath = "/etc/varta/v.sock"\n';

class Subject implements Disposable {
  readonly fixture = new FixtureHost();
  readonly told: string[] = [];
  readonly results: ReloadResult[] = [];
  reloader!: Reloader;
  /** What is on disk. */
  text = LISTENER;
  readonly levels: string[] = [];
  /** What is kept with the other events. */
  readonly happened: string[] = [];
  readonly kept: string[] = [];
  loads = 0;
  /** Reads wait for this. */
  gate: Promise<void> | undefined = undefined;
  hasPlaces = true;
  preparations = 1;
  /** The swap throws half-way. */
  breaks = false;
  /** Reads that nobody waits for any more. */
  cancelled = 0;
  nowNs = 0;

  static async make(): Promise<Subject> {
    const subject = new Subject();
    const first = (await subject.fixture.load(subject.text)) as LoadSuccess;
    const live = new LiveConfig(first.config, async () => ({ rules: [], listeners: [] }));
    subject.reloader = new Reloader({
      read: (before) => ({
        result: subject.#read(before),
        cancel: () => {
          subject.cancelled += 1;
        },
      }),
      file: "/etc/varta/varta.toml",
      live,
      log: {
        info: (msg, fields) => subject.told.push(`${msg} ${JSON.stringify(fields)}`),
        error: (msg, fields) => subject.told.push(`${msg} ${JSON.stringify(fields)}`),
      },
      changeLog: ({ level }) => subject.levels.push(level),
      openFiles: async () => NO_DOORS,
      makeSwap: ({ loaded }) => ({
        get isPossible() {
          return subject.hasPlaces;
        },
        prepare: () => --subject.preparations < 0,
        run: (nowNs) => {
          if (subject.breaks) throw new Error("half of it");
          live.replace(loaded.config, async () => ({ rules: [], listeners: [] }), nowNs);
        },
        drop: () => subject.told.push("dropped"),
      }),
      memberCounts: () => new Map([[0, 8]]),
      notifyBegin: (us) => subject.told.push(`RELOADING ${us}`),
      happened: (detail) => subject.happened.push(detail),
      notifyEnd: (trouble) => subject.told.push(`READY ${trouble}`),
      kept: (text) => subject.kept.push(text),
      counted: (succeeded) => subject.told.push(`successful ${succeeded}`),
      nowNs: () => subject.nowNs,
      monotonicNs: () => 5_000_001,
      wallMs: () => Date.parse("2026-11-28T02:14:02Z"),
    });
    subject.reloader.open();
    return subject;
  }

  async #read(before: Config): Promise<NextResult> {
    this.loads += 1;
    await this.gate;
    const { fixture } = this;
    const configFile = fixture.write("varta.toml", this.text);
    return await readNext(before, { configFile, given: [], host: fixture.host });
  }

  /** What was told once nothing goes on any more; a reload whose members never end does. */
  async settle(): Promise<string[]> {
    const count = (word: string) => this.told.filter((line) => line.startsWith(word)).length;
    const isPreparing = () => this.reloader.nextDeadlineNs() === 0;
    const rests = () =>
      isPreparing() ? this.preparations === Infinity : count("RELOADING") === count("READY");
    for (let calmTurns = 0; calmTurns < 5; calmTurns = rests() ? calmTurns + 1 : 0) {
      await new Promise<void>((done) => setImmediate(done));
      if (isPreparing()) this.reloader.maintain(9);
    }
    return this.told.splice(0);
  }

  [Symbol.dispose](): void {
    this.fixture[Symbol.dispose]();
  }
}

describe("Reloader", () => {
  test("tells the service manager of the begin in whole microseconds after it, and of the end", async () => {
    using subject = await Subject.make();
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.reloader.request((result) => subject.results.push(result));
    expect(await subject.settle()).toEqual([
      "RELOADING 5001",
      'reloaded {"changes":1,"took_ms":0,"pause_ms":0}',
      'configuration changed {"change":"limits.global_rate: 50000 -> 7"}',
      "successful true",
      "READY undefined",
    ]);
    expect(subject.results).toMatchObject([
      { applied: true, changes: [{ where: "limits", key: "global_rate", how: "50000 -> 7" }] },
    ]);
    expect(subject.levels).toEqual(["info"]);
  });

  test("says how many members a rule has that was changed", async () => {
    using subject = await Subject.make();
    subject.text = `${LISTENER}[[agent]]\nname = "w"\nmatch = { comm = "w" }\n`;
    subject.reloader.request();
    expect(await subject.settle()).toContain(
      'configuration changed {"change":"rule w: added, 8 members"}',
    );
  });

  test("is an event with its first change or its first problem, and how many more there are", async () => {
    using subject = await Subject.make();
    for (const text of [
      LISTENER,
      `${LISTENER}[limits]\nglobal_rate = 7\nglobal_burst = 9\n`,
      `${LISTENER}[limits]\nglobal_rate = -1\n`,
    ]) {
      subject.text = text;
      subject.reloader.request();
      await subject.settle();
    }
    expect(subject.happened).toEqual([
      "nothing changed",
      "limits.global_rate: 50000 -> 7, and 1 more",
      expect.stringMatching(/^failed: \S+varta\.toml:\d+:15: limits\.global_rate: found -1; want/),
    ]);
  });

  test("runs once more for all requests that come while it reads, by the file as it is then", async () => {
    using subject = await Subject.make();
    const gate = Promise.withResolvers<void>();
    subject.gate = gate.promise;
    subject.reloader.request();
    for (let i = 0; i < 60; i++) subject.reloader.request((result) => subject.results.push(result));
    expect(subject.loads).toBe(1);
    subject.text = `${LISTENER}[limits]\nglobal_rate = 9\n`;
    subject.gate = undefined;
    gate.resolve();
    const told = await subject.settle();
    expect(subject.loads).toBe(2);
    expect(told.filter((line) => line.startsWith("READY"))).toHaveLength(2);
    expect(subject.results).toHaveLength(60);
    subject.reloader.request();
    expect(await subject.settle()).toContain('reloaded {"changes":0,"took_ms":0,"pause_ms":0}');
  });

  test("a request before the daemon is ready is served when it is", async () => {
    using subject = await Subject.make();
    subject.reloader.close();
    subject.reloader.request();
    expect(await subject.settle()).toEqual([]);
    subject.reloader.open();
    expect(await subject.settle()).toContain("READY undefined");
  });

  test.each([
    ["an empty file", (s: Subject) => (s.text = ""), "found an empty file"],
    ["white space", (s: Subject) => (s.text = " \n\t\n"), "found an empty file"],
    ["a wrong value", (s: Subject) => (s.text = "[log]\nlevel = 1\n"), "found the integer 1"],
    [
      "a key that takes a restart",
      (s: Subject) => (s.text = `${LISTENER}[tracker]\npidfds_max = 7\n`),
      "tracker.pidfds_max: 16384 -> 7 takes a restart",
    ],
  ])(
    "%s is a failed reload that ends with READY, and the next one works",
    async (_, spoil, said) => {
      using subject = await Subject.make();
      spoil(subject);
      subject.reloader.request((result) => subject.results.push(result));
      const told = await subject.settle();
      expect(told.join("\n")).toContain(said);
      expect(told.at(-2)).toBe("successful false");
      expect(told.at(-1)).toStartWith("READY reload failed");
      expect(subject.results).toMatchObject([{ applied: false, problems: [{}] }]);
      subject.text = LISTENER;
      subject.reloader.request();
      expect((await subject.settle()).at(-1)).toBe("READY undefined");
    },
  );

  test("names without places are a failed reload", async () => {
    using subject = await Subject.make();
    subject.hasPlaces = false;
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.reloader.request();
    expect((await subject.settle()).join("\n")).toContain("more names of agents than there are");
  });

  test("names without places by the time of the swap are one, too, and nothing is swapped", async () => {
    using subject = await Subject.make();
    subject.preparations = Infinity;
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.reloader.request((result) => subject.results.push(result));
    subject.told.push(...(await subject.settle()));
    // Members that come while it is prepared have names, too.
    subject.hasPlaces = false;
    subject.preparations = 0;
    const told = await subject.settle();
    expect(told.join("\n")).toContain("more names of agents than there are");
    expect(told).toContain("dropped");
    expect(subject.results).toMatchObject([{ applied: false, problems: [{}] }]);
  });

  test("swaps nothing after it was closed", async () => {
    using subject = await Subject.make();
    subject.preparations = Infinity;
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.reloader.request();
    await subject.settle();
    expect(subject.reloader.nextDeadlineNs()).toBe(0);
    subject.reloader.close();
    expect(subject.reloader.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("a file that is not read in time is a failed reload, and the next one works", async () => {
    using subject = await Subject.make();
    const { promise, resolve } = Promise.withResolvers<void>();
    subject.gate = promise;
    subject.reloader.request((result) => subject.results.push(result));
    expect(subject.reloader.nextDeadlineNs()).toBe(10e9);
    subject.reloader.maintain(10e9);
    expect(subject.cancelled).toBe(1);
    expect(subject.told.at(-1)).toBe("READY reload failed: /etc/varta/varta.toml");
    expect(subject.results[0]!.problems[0]!.text).toContain("within 10s");
    subject.told.splice(0);
    subject.gate = undefined;
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.reloader.request();
    expect((await subject.settle()).at(-1)).toBe("READY undefined");
    resolve();
    expect(await subject.settle()).toEqual([]);
  });

  test("a swap that throws ends with READY, and ends the program", async () => {
    using subject = await Subject.make();
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.breaks = true;
    subject.preparations = 0;
    subject.reloader.request();
    await until("the swap", () => subject.reloader.nextDeadlineNs() === 0);
    expect(() => subject.reloader.maintain(9)).toThrow("half of it");
    expect(subject.told.at(-1)).toBe("READY reload failed");
  });

  test("a try says what would change, applies nothing, and only its asker hears of it", async () => {
    using subject = await Subject.make();
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    const hear = (result: ReloadResult) => subject.results.push(result);
    subject.reloader.tryOut(hear);
    expect(await subject.settle()).toEqual([]);
    expect(subject.results).toMatchObject([
      { applied: false, dry_run: true, changes: [{ how: "50000 -> 7" }], problems: [] },
    ]);
    subject.text = "[limits";
    subject.reloader.tryOut(hear);
    await subject.settle();
    expect(subject.results[1]).toMatchObject({ applied: false, problems: [{}] });
    subject.text = `${LISTENER}[limits]\nglobal_rate = 7\n`;
    subject.reloader.request();
    expect((await subject.settle()).join("\n")).toContain("50000 -> 7");
  });
});
