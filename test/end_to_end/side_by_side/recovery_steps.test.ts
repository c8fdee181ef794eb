// Steps, pace, verification, captured output and dry runs of the real daemon, with real agents that
// hang, stop and come back (spec 10).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sampleAt } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { untilProven } from "../../support/explained.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const IS_ROOT = process.getuid!() === 0;

function config(recovery: string): string {
  return `[observer]\nthreshold = "200ms"\n\n[recovery]\n${recovery}\n`;
}

describe.concurrent.skipIf(crewProgram === undefined)(`Steps${NEEDS_CREW}`, () => {
  test("end a hanging agent by its process descriptor, and go on to the command", async () => {
    await using daemon = await DaemonProcess.start({
      config: config(`verify_within = "300ms"
step = [{ signal = "SIGTERM" }, { wait = "100ms" }, { exec = ["sh", "./recover", "{pid}"] }]`),
      files: { recover: "echo $1 $VARTA_SILENCE_MS > done" },
    });
    await using crew = new Crew(daemon.socket);
    const pid = await crew.agent({ intervalMs: 20, beats: 5 });
    await daemon.untilSays("recovery unverified");
    expect(readFileSync(daemon.path("done"), "utf8")).toMatch(new RegExp(`^${pid} [0-9]+\n$`));
    const fieldsOf = (words: string) =>
      Object.fromEntries(daemon.saying(words, pid).flatMap(({ fields }) => [...fields]));
    expect(fieldsOf("recovery began")).toMatchObject({ recovery_id: "1", steps: "3" });
    expect(fieldsOf("recovery unverified")).toMatchObject({
      recovery_id: "1",
      step: "3/3",
      steps: "SIGTERM sent; wait 100ms no beat; sh done",
      reason: "the process ended and no member came within 300ms",
    });
    const page = await daemon.page();
    const steps = "varta_recovery_steps_total";
    for (const step of ["signal", "wait", "exec"]) {
      expect(sampleAt(page, `${steps}{step="${step}"}`)).toBe(1);
    }
    expect(sampleAt(page, 'varta_recovery_verified_total{result="unknown"}')).toBe(1);
    expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="started"}')).toBe(1);
  });

  test("wake an agent that was stopped: its beat ends the recovery, and is reported as a success", async () => {
    await using daemon = await DaemonProcess.start({
      config: config(`verify_within = "2s"
step = [{ signal = "SIGCONT" }, { wait = "5s" }, { exec = ["sh", "./never"] }]`),
      files: { never: "touch too_far" },
    });
    await using crew = new Crew(daemon.socket);
    const pid = await crew.agent({ intervalMs: 20 });
    await daemon.untilReceived(3);
    await crew.signal(pid, "SIGSTOP");
    await daemon.untilStalls(pid);
    await daemon.untilSays("recovery helped");
    const [helped] = daemon.saying("recovery helped", pid);
    expect(helped!.fields.get("steps")).toBe("SIGCONT sent; wait 5s beat came");
    expect(existsSync(daemon.path("too_far"))).toBe(false);
    expect(sampleAt(await daemon.page(), 'varta_recovery_verified_total{result="recovered"}')).toBe(
      1,
    );
  });
});

// A control group as systemd makes it for a service, in the hierarchy that is its own.
const GROUPS = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].find((root) =>
  existsSync(join(root, "cgroup.procs")),
);
const canMakeGroups = IS_ROOT && GROUPS !== undefined && makesGroups(GROUPS);

describe.concurrent.skipIf(crewProgram === undefined || !canMakeGroups)(
  `restart_unit (needs root and control groups)${NEEDS_CREW}`,
  () => {
    test("restarts the service of the agent by name, and finds its successor", async () => {
      const slice = join(GROUPS!, `varta-${process.pid}.slice`);
      const group = join(slice, "app.service");
      mkdirSync(group, { recursive: true });
      using directory = new TemporaryDirectory();
      const asked = join(directory.path, "asked");
      // Stands for the one of systemd, which is not the init of every machine that runs this test.
      writeFileSync(join(directory.path, "systemctl"), `#!/bin/sh\necho "$@" >> ${asked}\n`, {
        mode: 0o755,
      });
      {
        // A threshold that an agent which beats every 20 ms keeps on any machine: one more stall,
        // of "other" or of "old" before it is stopped, would use the budget up.
        await using daemon = await DaemonProcess.start({
          config: `[observer]\nthreshold = "2s"\n\n[recovery]\nverify_within = "30s"
pace_by = "unit"
budget = 1
env = { PATH = "${directory.path}:/usr/bin:/bin" }
restart_units = ["app.service"]
step = [{ restart_unit = "auto" }]
`,
        });
        await using crew = new Crew(daemon.socket);
        // What it forks is there from its first beat.
        writeFileSync(join(group, "cgroup.procs"), String(crew.pid));
        const [old, other] = await crew.agents({ count: 2, intervalMs: 20 });
        // Of one that is not known to be the sender of its beats nothing is decided.
        for (const pid of [old!, other!]) await untilProven(daemon, pid);
        await crew.signal(old!, "SIGSTOP");
        // The shell makes the file before it writes into it.
        const isAsked = () => existsSync(asked) && readFileSync(asked, "utf8") !== "";
        await until("the restart", isAsked);
        expect(readFileSync(asked, "utf8")).toBe("--no-ask-password restart app.service\n");
        // The old process goes, as in a restart. The other one was there before: it is no
        // successor.
        await crew.kill(old!);
        const young = await crew.agent({ intervalMs: 20 });
        await daemon.untilSays("recovery helped");
        expect(daemon.saying("recovery helped")[0]!.fields.get("unit")).toBe("app.service");
        await untilProven(daemon, young);
        // The budget is that of the unit: the successor has none of its own.
        await crew.signal(young, "SIGSTOP");
        await daemon.untilSays("gave up");
        expect(daemon.saying("gave up")[0]!.fields.get("pid")).toBe(String(young));
        await crew.signal(young, "SIGCONT");
      }
      await until("the group to be empty", () => removes(group));
      rmdirSync(slice);
    });
  },
);

function makesGroups(root: string): boolean {
  const probe = join(root, `varta-probe-${process.pid}.slice`);
  try {
    mkdirSync(probe);
  } catch {
    return false;
  }
  return removes(probe);
}

function removes(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

describe.concurrent("A recovery that does not help", () => {
  test("is tried again within its budget; then the daemon gives up and says so", async () => {
    await using daemon = await DaemonProcess.start({
      config: config(`command = ["true"]
debounce = "10ms"
verify_within = "50ms"
retry = true
budget = 2`),
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery did not help", 2);
    // A beat comes and goes: the next stall finds the budget used up.
    await sender.beat();
    await daemon.untilSays("gave up");
    const [gaveUp] = daemon.saying("gave up");
    expect(gaveUp!.level).toBe("error");
    expect(Object.fromEntries(gaveUp!.fields)).toMatchObject({
      recoveries: "2",
      window_ms: "3600000",
      next: expect.stringMatching(/^\d{4}-\d\d-\d\dT[0-9:.]+Z$/),
      hint: "recovery.budget is used up: no recovery until one of its recoveries is older than budget_window",
    });
    expect(daemon.saying("recovery began")).toHaveLength(2);
    await until("the gauge", async () => {
      return sampleAt(await daemon.page(), "varta_recovery_gave_up_agents") === 1;
    });
  });
});

describe.concurrent("A command's output", () => {
  test("is kept, and its end is in the line that reports its failure", async () => {
    await using daemon = await DaemonProcess.start({
      config: config('command = ["sh", "./fail"]\ncapture = true'),
      files: { fail: "seq 1 3000; printf 'no such \\033[1munit\\n' >&2; exit 4" },
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery did not help");
    const [failed] = daemon.saying("recovery did not help");
    expect(failed!.fields.get("exit_code")).toBe("4");
    expect(failed!.fields.get("stderr")).toBe("no such \u001b[1munit");
    expect(failed!.fields.get("stdout")).toEndWith("\n2999\n3000");
    expect(daemon.stderr).not.toContain("\u001b");
  });
});

describe.concurrent("What a command prints that nobody asked to keep", () => {
  const FORGED = 'level=error msg="forged" agent=other';
  const files = { forge: `echo '${FORGED}'; printf '\\033[2J<0>panic\\n' >&2; exit 4` };

  test("is in the line about its recovery, and never a line of its own", async () => {
    await using daemon = await DaemonProcess.start({
      config: config('command = ["sh", "./forge"]'),
      files,
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery did not help");
    const [failed] = daemon.saying("recovery did not help");
    expect(failed!.fields.get("stdout")).toBe(FORGED);
    expect(failed!.fields.get("stderr")).toBe("\u001b[2J<0>panic");
    expect(await daemon.stop()).toBe(0);
    const lines = daemon.stderr.split("\n");
    expect(lines.filter((line) => line.includes("panic"))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith(FORGED) || line.includes("\u001b"))).toEqual([]);
  });

  test("is the daemon's own where it is started by options alone", async () => {
    await using daemon = await DaemonProcess.start({
      args: ["--threshold-ms", "200", "--recovery-exec", "sh ./forge"],
      files,
    });
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilSays("recovery did not help");
    expect(daemon.saying("recovery did not help")[0]!.fields.has("stderr")).toBe(false);
    await until("its output", () => daemon.stderr.includes("\u001b[2J<0>panic\n"));
  });
});

describe.concurrent("A dry run", () => {
  test("tells in the log what it would do, counts it apart, and does nothing", async () => {
    await using daemon = await DaemonProcess.start({
      args: ["--dry-run"],
      config: config('step = [{ signal = "SIGKILL" }, { exec = ["sh", "./never"] }]'),
      files: { never: "touch too_far" },
    });
    using sender = new Sender(daemon.socket);
    // The agent is this test: it would notice.
    await sender.beat();
    await daemon.untilSays("recovery done");
    const [done] = daemon.saying("recovery done");
    expect(done!.fields.get("steps")).toBe("SIGKILL would be sent; sh would run");
    for (const words of ["recovery began", "recovery done"])
      expect(daemon.saying(words)[0]!.fields.get("dry_run")).toBe("true");
    expect(existsSync(daemon.path("too_far"))).toBe(false);
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="dry_run"}')).toBe(1);
    expect(sampleAt(page, 'varta_recovery_outcomes_total{outcome="spawned"}')).toBe(0);
    const warned = daemon.lines.some(({ fields }) =>
      fields.get("warning")?.startsWith("dry run: recoveries are "),
    );
    expect(warned).toBe(true);
  });
});

describe.concurrent("A daemon with ambient capabilities", () => {
  test.skipIf(!IS_ROOT || Bun.which("setpriv") === null)(
    "gives none of them to a command (needs root and setpriv)",
    async () => {
      const before = 'grep CapAmb /proc/self/status > before; exec "$@"';
      await using daemon = await DaemonProcess.start({
        config: config('command = ["cp", "/proc/self/status", "after"]'),
        through: ["setpriv", "--inh-caps=+kill", "--ambient-caps=+kill", "sh", "-c", before, "sh"],
      });
      using sender = new Sender(daemon.socket);
      await sender.beat();
      await daemon.untilSays("recovery done");
      const ambientIn = (name: string) =>
        /^CapAmb:\t(\w+)$/m.exec(readFileSync(daemon.path(name), "utf8"))![1];
      expect(ambientIn("before")).toBe("0000000000000020");
      expect(ambientIn("after")).toBe("0000000000000000");
    },
  );
});
