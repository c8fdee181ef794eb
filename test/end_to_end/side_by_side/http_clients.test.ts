// What no HTTP client may do to the daemon: have more of a turn than its share, keep others out, or
// use up the descriptors that recoveries need (spec 13 section 2).
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { HTTP_REQUESTS_PER_CONNECTION_MAX } from "../../../src/base/limits.ts";
import { RawClient, request } from "../../http/raw_client.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { Sender } from "../../support/sender.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const PIPELINED = 2_000;
/** Fewer than the clients below would take. */
const DESCRIPTORS = 64;
const IDLE = 100;

test.concurrent("a client that pipelines gets what one connection may have, and no more", async () => {
  await using daemon = await DaemonProcess.start();
  using client = await RawClient.open({ port: daemon.metricsPort });
  client.send(request("/-/healthy").repeat(PIPELINED));
  await until("the last answer", () => client.hasEnded || client.statuses.length === PIPELINED);
  expect(client.statuses.length).toBeLessThanOrEqual(HTTP_REQUESTS_PER_CONNECTION_MAX);
  expect(client.statuses[0]).toBe(200);
});

test.concurrent("clients that hold connections leave descriptors for recoveries and scrapes", async () => {
  await using daemon = await DaemonProcess.start({
    through: ["unshare", "--fork", "--kill-child", "prlimit", `--nofile=${DESCRIPTORS}`],
    args: ["--threshold-ms", "200", "--recovery-exec", "true"],
  });
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < IDLE; i++) {
      const from = `127.0.3.${1 + (i % 20)}`;
      clients.push(await RawClient.open({ port: daemon.metricsPort, from }));
    }
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery done");
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="spawn_failed"}')).toBe(0);
    expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="reaped_zero"}')).toBe(1);
    const refused = ["connections", "descriptors"].map((reason) =>
      sampleAt(page, `varta_prom_connections_dropped_total{reason="${reason}"}`),
    );
    expect(sampleAt(page, "varta_prom_connections")).toBeLessThanOrEqual(DESCRIPTORS / 2);
    expect(refused[0]! + refused[1]!).toBeGreaterThan(IDLE - DESCRIPTORS / 2);
    const said = daemon.saying("http refused");
    expect(said.length).toBe(refused.filter((count) => count > 0).length);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});
