// `explain` of what loads the machine or takes its time: one that spins, many at once, a budget
// that is used up, a pid that is used again, and an agent that is missing. Whole texts, as in
// side_by_side/explain.test.ts.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Actors } from "../../support/actors.ts";
import { Crew, crewProgram } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import {
  expectPrinted,
  explained,
  explanation,
  NEEDS_ROOT,
  startExplained,
  untilProven,
  untilStepIsOver,
} from "../../support/explained.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

/** A pid namespace in which the test says which pid comes next. */
const OWN_PIDS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const NEXT_PID = "n=$(cat /proc/sys/kernel/ns_last_pid) && echo $n > /proc/sys/kernel/ns_last_pid";
const NEEDS_OWN_PIDS = canOwnPids() ? "" : " (skipped: nobody may choose the next pid here)";

const RULE = `
  rule      1st [[agent]], DIR/varta.toml:2: comm = "nobody-is-called-so"
            threshold 5s, grace 1s, expect 1, on_exit judge
`;

describe.skipIf(NEEDS_ROOT !== "")(`explain says of one that${NEEDS_ROOT}`, () => {
  test("spins, and has no plan", async () => {
    await using daemon = await startExplained(`
[[agent]]
match = { comm = "other" }

[[agent]]
match = { comm = "spins" }
late = "500ms"
recovery = "none"
`);
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("spins", 5, "spin");
    await daemon.untilStalls(pid);
    await until("it to have spun", async () => {
      const { cpu_ms, cpu_over_ms } = (await explanation(daemon, pid)).member!.verdict!;
      return (cpu_over_ms ?? 0) > 500 && cpu_ms! > cpu_over_ms! / 3;
    });
    expectPrinted("spins", await explained(daemon, "spins", { SPINS: pid }));
  });

  test("gave up", async () => {
    await using daemon = await startExplained(`
[recovery]
command = ["/bin/true"]
verify_within = "60s"
budget = 1
budget_window = "1h"
`);
    await using actors = new Actors(daemon);
    const { pid } = await actors.start("again", 5);
    await daemon.untilStalls(pid);
    await daemon.untilSays("recovery began");
    await untilStepIsOver(daemon, pid);
    process.kill(pid, "SIGUSR2");
    await daemon.untilSays("recovery helped");
    await daemon.untilStalls(pid, 2);
    await daemon.untilSays("gave up");
    expectPrinted("gave up", await explained(daemon, "again", { AGAIN: pid }));
  });

  test("fell silent with many others", async () => {
    await using daemon = await startExplained(`
[recovery]
command = ["/bin/true"]
storm_limit = 1
storm_window = "1h"
`);
    await using actors = new Actors(daemon);
    const names = [1, 2, 3, 4, 5].map((number) => `many-${number}`);
    const pids = await Promise.all(names.map(async (name) => (await actors.start(name)).pid));
    for (const pid of pids) await untilProven(daemon, pid);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    await daemon.untilSays("agent stalled", 5);
    await daemon.untilSays("recovery refused");
    const refused = Number(daemon.saying("recovery refused")[0]!.fields.get("pid"));
    const text = await explained(daemon, `${refused}`, { REFUSED: refused });
    expectPrinted("storm", text.replaceAll(/many-\d/g, "MANY"));
  });

  test.skipIf(NEEDS_OWN_PIDS !== "")(
    `may be another process than the one that beat${NEEDS_OWN_PIDS}`,
    async () => {
      await using daemon = await startExplained('[recovery]\ncommand = ["/bin/true", "{pid}"]\n', {
        through: OWN_PIDS,
      });
      const joining = ["nsenter", "--target", `${daemon.pid}`, "--pid", "--mount"];
      await using crew = new Crew(daemon.socket, joining);
      const dead = new Crew(daemon.socket, joining);
      const pid = await pidInside(dead);
      // The beat waits while its sender ends, and another process gets the pid.
      process.kill(daemon.pid, "SIGSTOP");
      await dead.send({ count: 1, content: "beat", pid });
      await dead[Symbol.asyncDispose]();
      await crew.reuse(pid, 0);
      process.kill(daemon.pid, "SIGCONT");
      await daemon.untilStalls(pid);
      await daemon.untilSays("recovery refused");
      expectPrinted("not proven", await explained(daemon, `${pid}`, { HEIR: pid }));
    },
  );
});

test("explain says of an expected agent that it is new, and then that it is missing", async () => {
  await using daemon = await DaemonProcess.start({
    config: `
[[agent]]
name = "cron"
match = { comm = "nobody-is-called-so" }
expect = 1
grace = "1s"
`,
    metrics: false,
  });
  const head = "\n\n  verdict   none: it has no member\n";
  expect(await explained(daemon, "cron")).toBe(`cron: new. None of it beats yet.${head}${RULE}`);
  await daemon.untilSays("agent missing");
  expect(await explained(daemon, "cron")).toBe(`cron: missing for SPAN. 0 of 1 member beats.

  verdict   missing: no member of it beats
  done      reported once, at CLOCK.MS
  next      1 more member must beat; nothing is started for what never beat
${RULE}  history   CLOCK  missing   0 of 1 member
`);
});

/** The pid that a crew has in the namespace of the daemon. */
async function pidInside({ pid }: Crew): Promise<number> {
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  await until("the crew to be started", () => children() !== "");
  const status = readFileSync(`/proc/${children()}/status`, "latin1");
  return Number(/^NSpid:.*\t(\d+)$/m.exec(status)![1]);
}

function canOwnPids(): boolean {
  if (crewProgram === undefined || Bun.which("unshare") === null) return false;
  return Bun.spawnSync([...OWN_PIDS, "sh", "-c", NEXT_PID]).exitCode === 0;
}
