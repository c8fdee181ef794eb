// What reads, below /v1/ of the metrics address, by the table of requests: who may read it at which
// address, and how it is turned off (spec 16 section 6).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Request } from "../../../src/control/request.ts";
import { REQUESTS } from "../../../src/control/requests.ts";
import { type DaemonOptions, DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const READING = REQUESTS.filter(({ right }) => right === "read");
const SAID = "view is status alone";
const TOKEN = "5a".repeat(32);

const CONFIG = `
[observer]
threshold = "60s"

[[agent]]
name = "cron"
match = { comm = "no-such-program" }
expect = 1
`;

/** With what it needs: each of these takes an agent. */
function pathOf({ name, args }: Request): string {
  const musts = Object.entries(args).filter(([, { required }]) => required === true);
  return `/v1/${name}?${musts.map(([field]) => `${field}=cron`).join("&")}`;
}

/** The status of each of `requests`, by name. */
async function statuses(
  ask: (path: string) => Promise<Response>,
  requests: readonly Request[] = READING,
): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const request of requests) {
    const response = await ask(pathOf(request));
    // Some have no end.
    await response.body?.cancel();
    found[request.name] = response.status;
  }
  return found;
}

function each(status: number, requests = READING): Record<string, number> {
  return Object.fromEntries(requests.map(({ name }) => [name, status]));
}

function watching(options: DaemonOptions): Promise<DaemonProcess> {
  // One address asks for all of them.
  const args = ["--prom-rate-limit-per-sec", "0", ...(options.args ?? [])];
  return DaemonProcess.start({ ...options, args });
}

describe.concurrent("/v1/", () => {
  test("serves status alone without a token on loopback, and says so at the start", async () => {
    await using daemon = await watching({ config: CONFIG });
    const ask = (path: string): Promise<Response> => daemon.fetch(path);
    expect(await statuses(ask)).toEqual({ ...each(403), status: 200 });
    expect(daemon.saying(SAID)).toHaveLength(1);
    const acting = REQUESTS.filter(({ right }) => right === "act");
    expect(acting.length).toBeGreaterThan(0);
    expect(await statuses(ask, acting)).toEqual(each(404, acting));
  });

  test("serves all that reads with the token, and nothing without it", async () => {
    const args = ["--prom-token-file", "token"];
    await using daemon = await watching({ config: CONFIG, args, files: { token: `${TOKEN}\n` } });
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect(await statuses((path) => daemon.fetch(path, headers))).toEqual(each(200));
    expect(await statuses((path) => daemon.fetch(path))).toEqual(each(401));
    expect(daemon.saying(SAID)).toHaveLength(0);
  });

  test("serves all that reads at a Unix address", async () => {
    using directory = new TemporaryDirectory();
    const unix = directory.at("metrics.sock");
    const config = `${CONFIG}[metrics]\nlisten = "unix:${unix}"\n`;
    await using daemon = await DaemonProcess.start({ config, metrics: false });
    const ask = (path: string): Promise<Response> => fetch(`http://localhost${path}`, { unix });
    expect(await statuses(ask)).toEqual(each(200));
    expect(daemon.saying(SAID)).toHaveLength(0);
  });

  test("is nothing where metrics.view is false, and of a daemon of options alone", async () => {
    await using off = await watching({ config: `${CONFIG}[metrics]\nview = false\n` });
    await using alone = await watching({});
    for (const daemon of [off, alone]) {
      expect(await statuses((path) => daemon.fetch(path))).toEqual(each(404));
      expect(daemon.saying(SAID)).toHaveLength(0);
    }
  });
});
