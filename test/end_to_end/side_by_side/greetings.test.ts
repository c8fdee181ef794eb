// Programs that say hello and bye to the daemon, by a Unix datagram socket (spec 01 section 9, spec
// 14 section 5, spec 15 section 8.2).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { GreetingProgram, HAS_PYTHON } from "../../support/greeting_program.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const RULES = `[observer]
threshold = "400ms"
[[agent]]
match = { uid = ${process.getuid?.() ?? 0} }
name = "worker"
announce = ["front-*", "db"]
threshold_max = "1h"
[[agent]]
match = { user = "no-such-user" }
name = "db"
`;

describe.concurrent.skipIf(!IS_LINUX || !HAS_PYTHON)("a program that says hello", () => {
  test("has the name that it may have, owes no beats, and its end is told", async () => {
    await using daemon = await DaemonProcess.start({ config: RULES });
    await using job = new GreetingProgram(daemon.socket);
    await job.hello("front-7");
    await daemon.untilSays("member came");
    expect(daemon.saying("member came", job.pid)[0]!.fields.get("agent")).toBe("front-7");
    // Another one is judged meanwhile, so its threshold is over.
    await using other = new GreetingProgram(daemon.socket);
    await other.beat();
    await daemon.untilStalls(other.pid);
    expect(daemon.stallsOf(job.pid)).toEqual([]);
    await job.exit(3);
    await daemon.untilSays("member ended");
    expect(Object.fromEntries(daemon.saying("member ended", job.pid)[0]!.fields)).toMatchObject({
      agent: "front-7",
      exit_status: "3",
    });
  });

  test("is judged from its first beat on, by the threshold that it asked for", async () => {
    await using daemon = await DaemonProcess.start({ config: RULES });
    await using quick = new GreetingProgram(daemon.socket);
    await using slow = new GreetingProgram(daemon.socket);
    await slow.hello("", 600_000);
    await slow.beat();
    await quick.hello("");
    await quick.beat();
    await daemon.untilStalls(quick.pid);
    expect(daemon.stallsOf(slow.pid)).toEqual([]);
    expect(daemon.stallsOf(quick.pid)[0]!.fields.get("agent")).toBe("worker");
  });

  test("keeps its own name where it may not have the other, with one line and a count", async () => {
    await using daemon = await DaemonProcess.start({ config: RULES });
    await using job = new GreetingProgram(daemon.socket);
    await job.hello("db");
    await daemon.untilSays("name refused");
    expect(Object.fromEntries(daemon.saying("name refused")[0]!.fields)).toMatchObject({
      name: "db",
      reason: "other_rule",
      count: "1",
    });
    // In the same turn, but a line of its own.
    await daemon.untilSays("member came");
    expect(daemon.saying("member came", job.pid)[0]!.fields.get("agent")).toBe("worker");
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_announced_names_refused_total{reason="other_rule"}')).toBe(1);
    expect(sampleAt(page, 'varta_control_datagrams_total{kind="hello"}')).toBe(1);
  });
});

describe.concurrent.skipIf(!IS_LINUX || !HAS_PYTHON)("a program that says bye", () => {
  test("may take its time, and ends cleanly whatever its status", async () => {
    await using daemon = await DaemonProcess.start({ config: RULES });
    await using leaving = new GreetingProgram(daemon.socket);
    await using silent = new GreetingProgram(daemon.socket);
    await leaving.beat();
    await leaving.bye();
    await silent.beat();
    await daemon.untilStalls(silent.pid);
    expect(daemon.stallsOf(leaving.pid)).toEqual([]);
    await leaving.exit(1);
    await daemon.untilSays("member gone");
    expect(Object.fromEntries(daemon.saying("member gone", leaving.pid)[0]!.fields)).toMatchObject({
      exit_status: "1",
      reason: "goodbye",
    });
    expect(daemon.saying("member ended")).toEqual([]);
  });

  test("takes it back with a beat", async () => {
    await using daemon = await DaemonProcess.start({ config: RULES });
    await using staying = new GreetingProgram(daemon.socket);
    await staying.beat();
    await staying.bye();
    await staying.beat();
    await daemon.untilStalls(staying.pid);
  });

  test("says nothing to a daemon that is started by options alone: it is of a wrong size", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--threshold-ms", "400"] });
    await using program = new GreetingProgram(daemon.socket);
    await program.hello("front-1");
    await program.bye();
    await program.beat();
    await daemon.untilStalls(program.pid);
    const page = await daemon.page();
    expect(sampleAt(page, "varta_truncated_datagrams_total")).toBe(2);
    await daemon.untilSays("beats refused");
    expect(daemon.saying("beats refused")[0]!.fields.get("reason")).toBe("wrong_size");
  });
});
