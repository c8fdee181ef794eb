// An error that nobody caught while the daemon starts: what was opened is closed, what was not is
// not opened any more, and it is said once (spec 12 section 6).
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { IS_LINUX } from "../../ffi/constants.ts";
import { runCommand } from "../support/command.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

/** The start waits for the files of audit, export and heartbeat, and for what doctor finds. */
const TURNS = [0, 1, 4];

test.concurrent.skipIf(!IS_LINUX).each(TURNS)(
  "an error in a start, %i turns of the runtime after it began to wait, ends it with all closed",
  async (turns) => {
    using directory = new TemporaryDirectory();
    const config = directory.at("varta.toml");
    writeFileSync(
      config,
      `[[listener]]
kind = "unix"
path = "${directory.at("varta.sock")}"
[audit]
file = "${directory.at("audit.log")}"
[export]
file = "${directory.at("events.jsonl")}"
format = "jsonl"
[liveness]
heartbeat_file = "${directory.at("heartbeat")}"
[metrics]
listen = "127.0.0.1:0"
`,
    );
    const child = join(import.meta.dir, "start_fault_child.ts");
    const ended = await runCommand([process.execPath, child, config, `${turns}`]);
    expect(ended.stdout.trim().split("\n")).toEqual([
      "ended with 1",
      "began again",
      "ended with 0",
    ]);
    expect(ended.stderr.split("internal error, ending now")).toHaveLength(2);
    expect(ended.exitCode).toBe(0);
    expect(existsSync(directory.at("varta.sock"))).toBe(false);
    const left = readdirSync(directory.path).filter((name) => /sock|tmp/.test(name));
    expect(left.filter((name) => !name.includes(".state"))).toEqual([]);
  },
);
