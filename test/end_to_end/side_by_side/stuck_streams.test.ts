// A daemon whose stdout or stderr is not read starts, works and stops all the same, and one that
// cannot start ends.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { FullPipe } from "../../support/full_pipe.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const OWN = process.pid;

/** Becomes the daemon with a descriptor on the pipe. */
function into(pipe: FullPipe, fd: 1 | 2): string[] {
  return ["sh", "-c", `exec "$@" ${fd}<>"${pipe.path}"`, "sh"];
}

describe.concurrent("the daemon and a stream that is stuck", () => {
  test("stdout: it takes beats, reports stalls, says its address once there is room, and stops", async () => {
    using directory = new TemporaryDirectory();
    using pipe = new FullPipe(directory.at("pipe"));
    const as = into(pipe, 1);
    await using daemon = await DaemonProcess.start({ as, args: ["--threshold-ms", "60"] });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilStalls(OWN);
    let text = "";
    await until("the address", () => {
      text += pipe.read();
      return text.endsWith("\n");
    });
    expect(text).toMatch(/^x+127\.0\.0\.1:[0-9]+\n$/);
    expect(await daemon.stop()).toBe(0);
  });

  test("stdout: SIGTERM ends it while no process reads", async () => {
    using directory = new TemporaryDirectory();
    using pipe = new FullPipe(directory.at("pipe"));
    await using daemon = await DaemonProcess.start({ as: into(pipe, 1) });
    const startedMs = performance.now();
    expect(await daemon.stop()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
    expect(pipe.read()).toMatch(/^x+$/);
  });

  test.each([
    { fault: "a wrong option", args: ["--no-such-option"], exitCode: 64 },
    { fault: "a wrong configuration", args: ["--config", "/nonexistent"], exitCode: 78 },
    { fault: "a socket that cannot be bound", args: ["--socket", "/nonexistent/s"], exitCode: 1 },
  ])("stderr: $fault still ends it, with $exitCode", async ({ args, exitCode }) => {
    using directory = new TemporaryDirectory();
    using pipe = new FullPipe(directory.at("pipe"));
    const ownListeners = args[0] === "--socket";
    const as = into(pipe, 2);
    await using daemon = new DaemonProcess({ as, args, ownListeners, metrics: false });
    expect(await daemon.exited()).toBe(exitCode);
  });
});
