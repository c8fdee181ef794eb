// The order of the end (spec 12 section 6) with scripted agents and children, a real page and a
// real log file: what is closed, what is awaited, what is said, and with which exit code.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { NS_PER_MS } from "../../src/base/time.ts";
import * as closings from "../../src/daemon/closings.ts";
import { Log } from "../../src/daemon/log.ts";
import { monotonicNs } from "../../src/daemon/monotonic.ts";
import { RefusalReports } from "../../src/daemon/refusal_reports.ts";
import { Shutdown } from "../../src/daemon/shutdown.ts";
import { StreamWriter } from "../../src/daemon/stream_writer.ts";
import { EventFeed } from "../../src/view/event_feed.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { HttpServer } from "../../src/http/http_server.ts";
import { serverOptions } from "../http/fixture.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { SIGKILL, SIGTERM } from "../recovery/harness.ts";
import { runCommand } from "../support/command.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { TickHarness } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const AGENT = 42;
const THRESHOLD_MS = THRESHOLD_NS / NS_PER_MS;

const SILENT = { info: () => {}, warn: () => {}, error: () => {} };

const subjects: Subject[] = [];
afterEach(() => {
  for (const subject of subjects.splice(0)) subject[Symbol.dispose]();
});

/** A daemon after its last turn. */
class Subject extends TickHarness {
  readonly shutdown: Shutdown;
  /** What was true when the signals were released. */
  releasedWith: { readonly listenersClosed: number; readonly log: readonly string[] } | undefined;
  readonly #directory = new TemporaryDirectory();
  readonly #parts: Parameters<typeof closings.closingLog>[0] &
    Parameters<typeof closings.closingListeners>[0] &
    Parameters<typeof closings.closingTurns>[1];
  readonly events = new EventLog();
  readonly #fd = openSync(this.#directory.at("stderr"), "w");

  constructor() {
    super({ command: ["/bin/recover"] });
    subjects.push(this);
    this.processes.set(AGENT, 1);
    const { observer, recovery } = this;
    const { clock } = observer;
    const stderr = new StreamWriter({ nowNs: () => clock.lastNs, fd: this.#fd });
    const log = new Log({
      level: "info",
      format: "logfmt",
      write: (line) => stderr.write(line),
      wallMs: () => 0,
      monotonicNs,
      journal: true,
      sessionId: "0123456789abcdef",
    });
    const refusals = new RefusalReports({
      log,
      refusals: observer.refusals,
      listeners: observer.listeners,
      trackerCapacity: () => observer.tracker.capacity,
      takesControl: true,
      innermostPid: () => Number.NaN,
    });
    const feed = new EventFeed({ log: this.events, agentName: () => "", unixMsAtStart: () => 0 });
    this.#parts = { clock, stdout: stderr, stderr, log, observer, recovery, refusals, feed };
    this.shutdown = new Shutdown({ log, childCount: () => recovery.outstandingCount });
    // Where the daemon takes the signals.
    this.shutdown.add(() => {
      this.releasedWith = { listenersClosed: this.listener.closed, log: this.log() };
    });
    this.shutdown.add(closings.closingLog(this.#parts));
    this.shutdown.add(closings.closingListeners(this.#parts));
    this.shutdown.add(closings.closingChildren(this.#parts, { maintain: () => {} }));
  }

  /** Everything is open, as after a whole start. */
  opened(): this {
    this.shutdown.add(closings.closingTurns(this.tick, this.#parts));
    return this;
  }

  /** Lets the agent fall silent, and its recovery begin. */
  stall(): void {
    this.receive(beatOf(AGENT));
    this.pass(THRESHOLD_MS);
    this.turn();
  }

  log(): string[] {
    return readFileSync(this.#directory.at("stderr"), "utf8").trimEnd().split("\n");
  }

  /** `path` undefined = at an address. */
  serve(path?: string): HttpServer {
    const options = serverOptions(this.metrics.exposition, monotonicNs);
    const at = path === undefined ? {} : { listen: { kind: "unix" as const, path } };
    const http = new HttpServer({ ...options, ...at });
    this.shutdown.add(closings.closingServer(() => http));
    return http;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    this.#directory[Symbol.dispose]();
  }
}

describe("Shutdown.run()", () => {
  test("closes the sockets, says why and how it ended, and gives the signals back last", async () => {
    const subject = new Subject().opened();
    subject.shutdown.request("SIGTERM");
    void subject.shutdown.run();
    expect(await subject.shutdown.finished).toBe(0);
    expect(subject.releasedWith).toEqual({
      listenersClosed: 1,
      log: [
        '<6>level=info msg="shutting down" reason=SIGTERM children=0',
        '<6>level=info msg="stopped" exit_code=0',
      ],
    });
  });

  test("tells who follows the events before anything is closed", async () => {
    const subject = new Subject();
    const before: number[] = [];
    subject.shutdown.add(() => void before.push(subject.events.seq));
    subject.opened();
    subject.shutdown.request("SIGTERM");
    void subject.shutdown.run();
    await subject.shutdown.finished;
    expect(before).toEqual([1]);
    expect(subject.events.at(1).event).toMatchObject({ kind: "shutdown", detail: "SIGTERM" });
  });

  test("ends with the reason and the exit code of the first request", async () => {
    const subject = new Subject().opened();
    const { shutdown } = subject;
    expect(shutdown.isRequested).toBe(false);
    shutdown.request("strict_namespace", 1);
    shutdown.request("SIGTERM");
    expect(shutdown.isRequested).toBe(true);
    void shutdown.run();
    expect(await shutdown.finished).toBe(1);
    expect(subject.releasedWith?.log[0]).toContain("reason=strict_namespace");
  });

  test("exports the stalls that wait, and decides no recovery for them", async () => {
    const subject = new Subject().opened();
    subject.receive(beatOf(AGENT));
    subject.pass(THRESHOLD_MS);
    subject.pump();
    void subject.shutdown.run();
    await subject.shutdown.finished;
    expect(subject.diary).toEqual([`export stall ${AGENT}`]);
    expect(subject.runner.spawnCount).toBe(0);
  });

  test("answers no request any more once it is over", async () => {
    const subject = new Subject();
    const http = subject.serve();
    subject.opened();
    const { address } = http;
    let status = 0;
    void fetch(`http://${address}/-/ready`).then((answer) => (status = answer.status));
    await until("the answer", async () => {
      await nextServed(http);
      return status !== 0;
    });
    expect(status).toBe(200);
    void subject.shutdown.run();
    await subject.shutdown.finished;
    expect(http.closed).toBe(true);
    await expect(fetch(`http://${address}/-/ready`)).rejects.toThrow();
  });

  test("waits for the end of a child, which gets SIGTERM", async () => {
    const subject = new Subject().opened();
    subject.stall();
    void subject.shutdown.run();
    expect(subject.shutdown.hasBegun).toBe(true);
    const [child] = subject.runner.children;
    expect(child!.signals).toEqual([SIGTERM]);
    await until("the log of the shutdown", () => subject.log()[0]!.includes("children=1"));
    expect(subject.listener.closed).toBe(0);
    child!.exited(0, NaN);
    expect(await subject.shutdown.finished).toBe(0);
    expect(subject.diary).toContain(`complete ${AGENT}`);
    expect(subject.listener.closed).toBe(1);
  });
});

describe("Shutdown.abort()", () => {
  test("kills the children that a shutdown waits for, and ends once, with 1", async () => {
    const subject = new Subject().opened();
    subject.stall();
    subject.shutdown.request("SIGTERM");
    const graceful = subject.shutdown.run();
    subject.shutdown.abort("SIGINT");
    subject.shutdown.abort("SIGINT");
    expect(subject.runner.children[0]!.signals).toEqual([SIGTERM, SIGKILL]);
    expect(await subject.shutdown.finished).toBe(1);
    await graceful;
    expect(subject.log()).toEqual([
      '<6>level=info msg="shutting down" reason=SIGTERM children=1',
      '<4>level=warn msg="second signal, ending now" signal=SIGINT',
      '<6>level=info msg="stopped" exit_code=1',
    ]);
    expect(subject.listener.closed).toBe(1);
  });

  test("waits for no scraper, and takes the socket file of the metrics with it", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("metrics.sock");
    const subject = new Subject();
    subject.serve(path);
    expect(existsSync(path)).toBe(true);
    subject.opened().shutdown.abort("SIGTERM");
    expect(await subject.shutdown.finished).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  test("leaves nothing to do for the shutdown that comes after it", async () => {
    const subject = new Subject().opened();
    subject.shutdown.abort("SIGTERM");
    await subject.shutdown.run();
    expect(subject.shutdown.hasBegun).toBe(false);
    expect(await subject.shutdown.finished).toBe(1);
    expect(subject.log().filter((line) => line.includes("stopped"))).toHaveLength(1);
  });
});

describe("Shutdown.takeSignals()", () => {
  const TAKEN = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGPIPE", "SIGCONT"] as const;
  const counts = () => TAKEN.map((signal) => process.listenerCount(signal));

  test("takes the signals until everything else is closed, and gives all of them back", async () => {
    const before = counts();
    const shutdown = new Shutdown({ log: SILENT, childCount: () => 0 });
    const asked: string[] = [];
    shutdown.takeSignals(
      () => asked.push("dump"),
      () => asked.push("reload"),
    );
    let heldAtTheEnd: number[] = [];
    shutdown.add(() => {
      heldAtTheEnd = counts();
    });
    expect(counts()).toEqual(before.map((count) => count + 1));
    process.emit("SIGUSR1");
    process.emit("SIGHUP");
    expect([asked, shutdown.isRequested]).toEqual([["dump", "reload"], false]);
    process.emit("SIGTERM", "SIGTERM");
    process.emit("SIGHUP");
    expect(asked).toEqual(["dump", "reload"]);
    expect(shutdown.isRequested).toBe(true);
    void shutdown.run();
    expect(await shutdown.finished).toBe(0);
    expect(heldAtTheEnd).toEqual(before.map((count) => count + 1));
    expect(counts()).toEqual(before);
  });

  test("ends at once when a stop comes twice, by another signal", async () => {
    const shutdown = new Shutdown({ log: SILENT, childCount: () => 0 });
    shutdown.takeSignals(
      () => {},
      () => {},
    );
    process.emit("SIGTERM", "SIGTERM");
    process.emit("SIGINT", "SIGINT");
    expect(await shutdown.finished).toBe(1);
  });
});

describe("the things that were opened", () => {
  test("are closed in the reverse order, each after the one before it", async () => {
    const shutdown = new Shutdown({ log: SILENT, childCount: () => 0 });
    const closed: string[] = [];
    shutdown.add(() => void closed.push("first"));
    shutdown.add(async () => {
      await Promise.resolve();
      closed.push("second");
    });
    shutdown.add(({ kind }) => void closed.push(kind));
    await shutdown.unwind();
    expect(closed).toEqual(["failed_start", "second", "first"]);
  });
});

describe("a close that fails", () => {
  test("is said once, and keeps neither the others nor the end from coming", async () => {
    const said: unknown[] = [];
    const log = {
      info: () => {},
      warn: (msg: string, fields = {}) => said.push([msg, fields]),
      error: () => {},
    };
    const shutdown = new Shutdown({ log, childCount: () => 0 });
    const closed: string[] = [];
    shutdown.add(() => void closed.push("first"));
    shutdown.add(() => {
      throw new Error("broken");
    });
    shutdown.add(() => Promise.reject(new Error("broken too")));
    shutdown.request("SIGTERM", 3);
    await shutdown.run();
    expect(await shutdown.finished).toBe(3);
    expect(closed).toEqual(["first"]);
    expect(said).toEqual([["close failed, ending anyway", { error: "broken too" }]]);
  });
});

describe("an error that nobody caught", () => {
  test.each(["thrown", "rejected"])(
    "ends the process, with what was open closed: %s",
    async (how) => {
      const child = join(import.meta.dir, "fault_child.ts");
      const ended = await runCommand([process.execPath, child, how]);
      expect(ended.exitCode).toBe(1);
      const lines = ended.stdout.trim().split("\n");
      expect(lines[0]).toBe("internal error, ending now: Error: of a turn");
      expect(ended.stdout).toContain("fault_child.ts");
      expect(lines.at(-1)).toBe("closed by abort, internal_error");
      expect(ended.stdout.split("internal error")).toHaveLength(2);
    },
  );
});

describe("Shutdown.unwind()", () => {
  test("closes what a failed start has opened, and says nothing", async () => {
    const subject = new Subject();
    const http = subject.serve();
    await subject.shutdown.unwind();
    expect(http.closed).toBe(true);
    expect(subject.releasedWith?.listenersClosed).toBe(1);
    expect(subject.log()).toEqual([""]);
  });
});

/** A turn of the server, without the loop. */
function nextServed(http: HttpServer): Promise<void> {
  http.serveSlice(NS_PER_MS);
  return new Promise((resolve) => setImmediate(resolve));
}
