// `explain` of an agent that is missing, which the daemon says half a minute after its start.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { explained } from "../../support/explained.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

const RULE = `
  rule      1st [[agent]], DIR/varta.toml:2: comm = "nobody-is-called-so"
            threshold 5s, grace 1s, expect 1, on_exit judge
`;

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
