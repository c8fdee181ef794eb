// A real Prometheus is asked by doctor whether it has the rules that are shipped: with them it
// passes, without them it is a warning.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/binary/target.ts";
import { ALERTS } from "../../../src/doctor/checks/alerts.ts";
import { placeOf } from "../../doctor/harness.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(60_000);

const PROMETHEUS = Bun.which("prometheus");
const NEEDS = PROMETHEUS === null ? " (skipped: there is no prometheus)" : "";
const RULES = join(ROOT, "packaging/prometheus/varta-watch.rules.yml");
const LOCAL = '[[listener]]\nkind = "unix"\npath = "DIR/varta.sock"\n';
const directory = new TemporaryDirectory();

afterAll(() => directory[Symbol.dispose]());

/** What doctor says of a Prometheus with these rule files. */
async function resultWith(ruleFiles: readonly string[]) {
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = free;
  free.stop(true);
  const config = directory.at(`${port}.yml`);
  writeFileSync(config, `rule_files: ${JSON.stringify(ruleFiles)}\n`);
  const options = [`--config.file=${config}`, `--storage.tsdb.path=${directory.at(`${port}`)}`];
  const address = `--web.listen-address=127.0.0.1:${port}`;
  const child = Bun.spawn([PROMETHEUS!, ...options, address], {
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    const url = `http://127.0.0.1:${port}/`;
    await until("Prometheus answers", async () => {
      const answer = await fetch(new URL("/-/ready", url)).catch(() => undefined);
      return answer?.ok === true;
    });
    return await ALERTS.run(await placeOf(directory, LOCAL, { prometheus: url }));
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

test.skipIf(NEEDS !== "")(`doctor asks the real Prometheus${NEEDS}`, async () => {
  expect(await resultWith([RULES])).toEqual({ check: "alerts", result: "passed" });
  expect(await resultWith([])).toMatchObject({
    result: "found",
    finding: { severity: "warning", effect: "It sends no alert about a stalled agent." },
  });
});
