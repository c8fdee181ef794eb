import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { Counters } from "../../src/base/counters.ts";
import { SECURE } from "../../src/listener/counters.ts";
import { TempDirectory } from "../files/temp_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { beat, makeMetrics, renderPage } from "./fixture.ts";
import { parsePage } from "./page.ts";

setDefaultTimeout(TEST_MS_MAX);

describe("Exposition", () => {
  test("names counters without _total in the OpenMetrics headers, and ends with # EOF", () => {
    const { metrics } = makeMetrics();
    beat(metrics, [12]);
    const text = renderPage(metrics, "openmetrics");
    expect(text).toContain('# TYPE varta_beats counter\nvarta_beats_total{pid="12"} 1\n');
    expect(text).toContain("# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total ");
    expect(text).toContain("# TYPE varta_audit_fsync_seconds histogram\n");
    expect(text.endsWith("\n# EOF\n")).toBe(true);
    expect(text.match(/# EOF/g)).toHaveLength(1);
    expect(renderPage(metrics)).not.toContain("# EOF");
  });

  test("gives the same samples in both formats", () => {
    const { metrics } = makeMetrics();
    beat(metrics, [12, 13]);
    const names = (text: string) => [...parsePage(text).samples.keys()];
    expect(names(renderPage(metrics, "openmetrics"))).toEqual(names(renderPage(metrics)));
  });

  test("leaves out a listener that is gone, but not of a sum; one that is back counts on", () => {
    const { metrics, accounting } = makeMetrics();
    const secure = new Counters(SECURE, undefined);
    metrics.show(secure, {}, 1);
    accounting.received[1] = 5;
    secure.add(SECURE.aeadAttempts, 9);
    const received = 'varta_datagrams_received_total{listener="lab"}';
    const sampleOf = (name: string) => parsePage(renderPage(metrics)).samples.get(name);
    metrics.hideListener(1);
    expect(sampleOf(received)).toBeUndefined();
    expect(sampleOf('varta_datagrams_received_total{listener="local"}')).toBe(0);
    secure.add(SECURE.aeadAttempts, 1);
    expect(sampleOf("varta_secure_aead_attempts_total")).toBe(9);
    metrics.showListener(1, "lab");
    const young = new Counters(SECURE, undefined);
    metrics.show(young, {}, 1);
    young.add(SECURE.aeadAttempts, 2);
    expect([sampleOf(received), sampleOf("varta_secure_aead_attempts_total")]).toEqual([5, 11]);
  });

  test("stops at its budget and goes on where it stopped", () => {
    const { metrics } = makeMetrics({ capacity: 1000 });
    beat(
      metrics,
      Array.from({ length: 1000 }, (_, i) => 5000 - i),
    );
    const inOneSlice = renderPage(metrics);
    metrics.exposition.begin("text", 5e9);
    let nowNs = 0;
    let slices = 1;
    // Every reading of the clock finds a millisecond gone: two looks fit into a slice of 2 ms.
    while (!metrics.exposition.step(2e6, () => (nowNs += 1e6))) slices += 1;
    expect(slices).toBeGreaterThan(4);
    const inSlices = Buffer.concat(metrics.exposition.parts()).toString();
    expect(withoutProcess(inSlices)).toBe(withoutProcess(inOneSlice));
  });

  test("leaves out a pid that was removed between two slices", () => {
    const { metrics } = makeMetrics({ capacity: 1000 });
    beat(
      metrics,
      Array.from({ length: 500 }, (_, i) => 1000 + i),
    );
    metrics.exposition.begin("text", 5e9);
    let nowNs = 0;
    expect(metrics.exposition.step(1, () => (nowNs += 1))).toBe(false);
    metrics.onRemoved(1499);
    beat(metrics, [77]);
    while (!metrics.exposition.step(1, () => (nowNs += 1)));
    const { samples } = parsePage(Buffer.concat(metrics.exposition.parts()).toString());
    expect(samples.has('varta_beats_total{pid="1499"}')).toBe(false);
    expect(samples.has('varta_beats_total{pid="1498"}')).toBe(true);
  });

  test("a page that was given up does not leak into the next", () => {
    const { metrics } = makeMetrics({ capacity: 1000 });
    beat(
      metrics,
      Array.from({ length: 500 }, (_, i) => 1000 + i),
    );
    let nowNs = 0;
    metrics.exposition.begin("openmetrics", 5e9);
    metrics.exposition.step(1, () => (nowNs += 1));
    expect(parsePage(renderPage(metrics)).samples.get('varta_beats_total{pid="1000"}')).toBe(1);
  });

  test("escapes what a label value may not hold", () => {
    const build = { version: 'a"b', revision: "c\\d", runtime: "e\nf", target: "" };
    const text = renderPage(makeMetrics({ build }).metrics);
    expect(text).toContain('version="a\\"b",revision="c\\\\d",runtime="e\\nf",target=""} 1\n');
  });
});

describe("promtool", () => {
  const promtool = Bun.which("promtool");
  test.skipIf(promtool === null)(
    "check metrics is content (skipped if promtool is not on PATH)",
    async () => {
      const { metrics } = makeMetrics();
      beat(metrics, [12, 13]);
      const child = Bun.spawn([promtool!, "check", "metrics"], {
        stdin: Buffer.from(renderPage(metrics)),
        stdout: "pipe",
        stderr: "pipe",
      });
      const complaints = (await child.stdout.text()) + (await child.stderr.text());
      expect(complaints).toBe("");
      expect(await child.exited).toBe(0);
    },
  );

  test.skipIf(promtool === null)(
    "reads the OpenMetrics page (skipped if promtool is not on PATH)",
    async () => {
      const { metrics } = makeMetrics();
      beat(metrics, [12, 13]);
      // The block maker parses strictly, and wants a time for every sample.
      const text = renderPage(metrics, "openmetrics").replace(/^([^#].*)$/gm, "$1 1700000000");
      using directory = new TempDirectory();
      writeFileSync(directory.join("page"), text);
      const command = ["tsdb", "create-blocks-from", "openmetrics"];
      const paths = [directory.join("page"), directory.join("blocks")];
      const child = Bun.spawn([promtool!, ...command, ...paths], {
        stdout: "pipe",
        stderr: "pipe",
      });
      expect(await child.stderr.text()).toBe("");
      expect(await child.exited).toBe(0);
    },
  );
});

function withoutProcess(text: string): string {
  return text.replace(/^process_.*$/gm, "");
}
