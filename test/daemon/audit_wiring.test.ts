// What the daemon says of its audit log: the head at the start, every hundred rows and at the end,
// and each finding once.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AUDIT } from "../../src/audit/counters.ts";
import { Counters } from "../../src/base/counters.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { type AuditWiring, openAudit } from "../../src/daemon/audit_wiring.ts";
import { Log } from "../../src/daemon/log.ts";
import { FILES } from "../../src/files/counters.ts";
import type { Metrics } from "../../src/metrics/metrics.ts";
import { AuditDirectory, refusal, UNIX_MS } from "../audit/audit_fixture.ts";
import { makeMetrics, renderPage } from "../metrics/fixture.ts";
import { parsePage, sampleAt } from "../metrics/page.ts";
import { type LogLine, parseLogLine } from "../support/log_lines.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

/** The wiring of one life of a daemon, driven turn by turn. */
class Life {
  readonly lines: LogLine[] = [];
  readonly metrics: Metrics = makeMetrics().metrics;
  wiring!: AuditWiring;
  nowNs = 0;

  static async begin(directory: AuditDirectory, state = directory.path): Promise<Life> {
    const life = new Life();
    const log = new Log({
      level: "info",
      format: "logfmt",
      write: (line) => life.lines.push(parseLogLine(line.trimEnd(), 0)!),
      wallMs: () => UNIX_MS,
      monotonicNs: () => life.nowNs,

      journal: false,
      sessionId: "0123456789abcdef",
    });
    const counters = new Counters(AUDIT, {
      get head() {
        return life.wiring.audit.head;
      },
    });
    const files = new Counters(FILES, life);
    life.metrics.show(counters);
    life.metrics.show(files);
    life.wiring = await openAudit(directory.log, {
      log,
      counters,
      files,
      env: { STATE_DIRECTORY: state },
      monotonicNs: () => life.nowNs,
      agentName: undefined,
      config: {
        file: directory.log,
        keyFile: undefined,
        key: undefined,
        maxBytes: undefined,
        syncEvery: 1,
        syncIntervalNs: 0,
        fsyncBudgetNs: 50e6,
        rotationBudgetNs: 50e6,
      },
    });
    return life;
  }

  async refuse(count: number): Promise<void> {
    const { audit } = this.wiring;
    for (let pid = 1; pid <= count; pid++) audit.record(refusal(pid), UNIX_MS);
    do {
      audit.maintain(this.nowNs);
      await new Promise((resolve) => setImmediate(resolve));
    } while (audit.busy || audit.queuedCount > 0);
    this.wiring.look();
  }

  async end(): Promise<void> {
    await this.wiring.close();
    this.wiring.tellEnd();
  }

  heads(): (string | undefined)[][] {
    const told = ["audit log", "audit head", "audit log closed"];
    return this.lines
      .filter(({ msg }) => told.includes(msg))
      .map(({ msg, fields }) => [msg, fields.get("seq")]);
  }

  /** Lines about tampering of this kind. */
  suspected(what: string): number {
    return this.lines.filter(
      ({ msg, fields }) => msg === "tamper suspected" && fields.get("what") === what,
    ).length;
  }

  saying(text: string): number {
    return this.lines.filter(({ msg }) => msg.includes(text)).length;
  }

  sample(name: string): number {
    return sampleAt(parsePage(renderPage(this.metrics)), name);
  }
}

describe("AuditWiring", () => {
  test("reports the head at the start, after a hundred rows and at the end, and as a metric", async () => {
    using directory = new AuditDirectory();
    const life = await Life.begin(directory);
    await life.refuse(99);
    expect(life.heads()).toEqual([["audit log", "1"]]);
    await life.refuse(1);
    expect(life.heads().at(-1)).toEqual(["audit head", "101"]);
    expect(life.sample("varta_audit_head_sequence")).toBe(101);
    await life.refuse(20);
    await life.end();
    expect(life.heads().at(-1)).toEqual(["audit log closed", "121"]);
    const last = life.lines.at(-1)!.fields;
    expect(last.get("head")).toBe(directory.rows().at(-1)!.at(-1)!);
    expect(last.get("state")).toBe(join(directory.path, "audit.head"));
  });

  test("reports once what was found at the start, and what happens while the log is open", async () => {
    using directory = new AuditDirectory();
    const first = await Life.begin(directory);
    await first.refuse(3);
    await first.end();
    expect(first.saying("tamper suspected")).toBe(0);
    truncateSync(directory.log, directory.read().indexOf("\n", 100) + 1);
    const second = await Life.begin(directory);
    expect(second.suspected("behind")).toBe(1);
    await second.refuse(1);
    expect(second.sample("varta_audit_tamper_suspected_total")).toBe(1);
    writeFileSync(directory.log, "");
    second.nowNs += NS_PER_S;
    await second.refuse(2);
    expect(second.suspected("cut")).toBe(1);
    expect(second.sample("varta_audit_tamper_suspected_total")).toBe(2);
    await second.end();
    expect(second.saying("tamper suspected")).toBe(2);
  });

  test("warns once where nothing can be remembered, and where the memory was removed", async () => {
    using directory = new AuditDirectory();
    const forgetful = await Life.begin(directory, "/nonexistent/state");
    await forgetful.refuse(2);
    await forgetful.end();
    expect(forgetful.saying("audit.head unavailable")).toBe(1);
    const fresh = await Life.begin(directory);
    await fresh.end();
    expect(fresh.saying("audit.head missing")).toBe(1);
    const known = await Life.begin(directory);
    await known.end();
    expect(known.saying("audit.head ")).toBe(0);
  });
});
