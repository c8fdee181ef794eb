// An agent of which a member is expected and none comes (spec 18 section 6): its grace goes on over
// stops and kills of the daemon, so that starts close to each other do not keep it from being told.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { sampleAt } from "../../metrics/page.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(180_000);
afterAll(endLeftovers);

/** The shortest that there is. */
const GRACE_MS = 30_000;
const LIFE_MS = 4_000;
const CONFIG = `[[agent]]
match = { comm = "nobody-has-it" }
name = "ghost"
expect = 1
threshold = "500ms"
`;

test("who is expected is told as missing by a daemon that never lives for a whole grace", async () => {
  using directory = new TemporaryDirectory();
  const beganMs = performance.now();
  let lives = 0;
  for (;;) {
    await using daemon = await DaemonProcess.start({ config: CONFIG, directory: directory.path });
    lives += 1;
    const endMs = performance.now() + LIFE_MS;
    await until(
      "the agent to be told or the life to be over",
      () => daemon.saying("agent missing").length > 0 || performance.now() > endMs,
    );
    if (daemon.saying("agent missing").length > 0) break;
    expect(performance.now() - beganMs).toBeLessThan(4 * GRACE_MS);
    const kept = async () => sampleAt(await daemon.page(), "varta_state_behind_seconds") === 0;
    await until("the state to be written", kept);
    if (lives % 2 === 0) await daemon.stop();
    else daemon.signal("SIGKILL");
    await daemon.exited();
  }
  expect(performance.now() - beganMs).toBeGreaterThan(GRACE_MS - 1_000);
  expect(lives).toBeGreaterThan(3);
});
