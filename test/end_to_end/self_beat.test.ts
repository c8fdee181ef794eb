// The real daemon beats to itself at every kind of listener, and nothing else of it sees that.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { sampleAt, sumOf } from "../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { freeUdpPorts } from "../support/free_ports.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const ROUND = 'varta_self_beats_total{result="round"}';

/** Nobody is on its list, and its limits are spent by the first datagram. */
const narrow = (directory: string, port: number): string => `
[export]
file = "${directory}/events.tsv"

[limits]
global_rate = 1
global_burst = 1

[[listener]]
kind = "unix"
path = "${directory}/varta.sock"
allow_uids = [4294967294]

[[listener]]
kind = "udp"
address = "127.0.0.1"
port = ${port}
accept_plaintext = true
`;

test("a self-beat passes allow lists, limits, table, accounting and export by", async () => {
  using own = new TemporaryDirectory();
  const directory = own.path;
  const config = narrow(directory, freeUdpPorts(1)[0]!);
  await using daemon = await DaemonProcess.start({ directory, config, ownListeners: true });
  await until("both came round", async () => sampleAt(await daemon.page(), ROUND) >= 2);
  const page = await daemon.page();
  expect(sampleAt(page, "varta_self_beat_seconds_count")).toBe(sampleAt(page, ROUND));
  for (const name of ["varta_datagrams_received_total", "varta_datagrams_rejected_total"])
    expect([name, sumOf(page, name)]).toEqual([name, 0]);
  expect(sampleAt(page, "varta_watch_pids_tracked")).toBe(0);
  await daemon.stop();
  const kinds = daemon.exported("events.tsv").map(([, kind]) => kind);
  expect(kinds).toEqual(["boot", "shutdown"]);
});

test("a device that is no watchdog ends the start, and says what it is", async () => {
  await using daemon = new DaemonProcess({ args: ["--hw-watchdog", "/dev/null"] });
  expect(await daemon.exited()).toBe(1);
  expect(daemon.stderr).toContain("cannot use hardware watchdog /dev/null: it is no watchdog");
});
