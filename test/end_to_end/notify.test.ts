// The real daemon with a notify listener: messages of sd_notify are beats, what a member says is
// shown, and both go on over a reload and over another daemon.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { AF_UNIX, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, openSocket, sendTo, unixAddress } from "../../ffi/socket.ts";
import { sampleAt } from "../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../support/daemon_process.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const config = (directory: string, notify: string): string => `
[observer]
threshold = "400ms"

[[listener]]
kind = "unix"
path = "${directory}/varta.sock"

[[listener]]
kind = "notify"
name = "sd"
path = "${directory}/${notify}"

[[agent]]
name = "tests"
match = { listener = "sd" }
threshold_max = "1h"
`;

const rejected = (reason: string) =>
  `varta_datagrams_rejected_total{listener="sd",reason="${reason}"}`;

function say(path: string, ...texts: readonly string[]): void {
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
  for (const text of texts) {
    const bytes = new Uint8Array(new ArrayBuffer(text.length));
    new TextEncoder().encodeInto(text, bytes);
    check(sendTo(fd, bytes, unixAddress(path)), "send");
  }
  close(fd);
}

test("messages of sd_notify are beats, also after a reload that moves their listener", async () => {
  using own = new TemporaryDirectory();
  const directory = own.path;
  await using daemon = await DaemonProcess.start({
    directory,
    config: config(directory, "notify.sock"),
    ownListeners: true,
  });
  const path = daemon.path("notify.sock");
  say(path, "READY=1\nSTATUS=not yet", "WATCHDOG=1", "", "WATCHDOG=1\nMAINPID=1");
  await daemon.untilReceived(4, "sd");
  const page = await daemon.page();
  expect([sampleAt(page, rejected("text")), sampleAt(page, rejected("mainpid"))]).toEqual([1, 1]);
  expect(sampleAt(page, 'varta_notify_messages_total{kind="words"}')).toBe(1);
  await daemon.untilStalls(process.pid);
  writeFileSync(daemon.path("varta.toml"), config(directory, "other.sock"));
  daemon.signal("SIGHUP");
  await until("the new path", () => existsSync(daemon.path("other.sock")));
  say(daemon.path("other.sock"), "WATCHDOG=1\nWATCHDOG_USEC=3600000000\nSTATUS=382 requests");
  await daemon.untilReceived(5, "sd");
  expect(existsSync(path)).toBe(false);
  await until("its threshold", async () => {
    const threshold = sampleAt(await daemon.page(), 'varta_agent_threshold_seconds{agent="tests"}');
    return threshold === 3_600;
  });
});
