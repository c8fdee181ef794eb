// A start script that becomes its program keeps pid and start time: name, rule and threshold follow
// within seconds, while it beats, and no end is reported (spec 03 section 2.2).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { symlinkSync, writeFileSync } from "node:fs";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import type { LogLine } from "../../support/log_lines.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const UID = process.getuid?.() ?? 0;

const CONFIG = `
[log]
level = "debug"

[[agent]]
match = { comm = "vc-boot", uid = ${UID} }
name = "boot"
threshold = "30s"

[[agent]]
match = { comm = "vc-real", uid = ${UID} }
name = "real"
threshold = "1s"
`;

/** Beats every 50 ms; the first line of its input makes it another program, the second silent. */
const AGENT = `import os, select, socket, struct, sys, time
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
file, path, real = sys.argv[0:3]
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    now = time.monotonic_ns()
    head = b"VA\\x02\\x00" + struct.pack("<IQQI", os.getpid(), now, now, 0)
    out.sendto(head + struct.pack("<I", crc32c(head)), path)
    if select.select([0], [], [], 0.05)[0]:
        os.read(0, 1)
        if real == "":
            os.read(0, 1)
        os.execv(real, [real, file, path, ""])
`;

/** The very program: what is found by its name may be a script that finds it. */
const interpreter = Bun.which("python3") === null ? "" : pathOfPython();

describe.concurrent.skipIf(interpreter === "")("an agent that replaces itself", () => {
  test("has the name, the rule and the threshold of its new program soon, and no end", async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG });
    const [boot, real] = ["vc-boot", "vc-real"].map((name) => daemon.path(name));
    for (const link of [boot!, real!]) symlinkSync(interpreter, link);
    writeFileSync(daemon.path("agent.py"), AGENT);
    const agent = spawn(boot!, [daemon.path("agent.py"), daemon.socket, real!]);
    try {
      const pid = agent.pid!;
      const called = async (name: string): Promise<LogLine> => {
        let line: LogLine | undefined;
        await until(`the agent to be called ${name}`, async () => {
          await daemon.state();
          line = daemon.saying("agent", pid).at(-1);
          return line?.fields.get("agent") === name;
        });
        return line!;
      };
      expect((await called("boot")).fields.get("threshold_ms")).toBe("30000");
      agent.stdin.write("x");
      expect((await called("real")).fields.get("threshold_ms")).toBe("1000");
      agent.stdin.write("x");
      await daemon.untilStalls(pid);
      const [stall] = daemon.stallsOf(pid);
      expect([stall!.fields.get("agent"), stall!.fields.get("threshold_ms")]).toEqual([
        "real",
        "1000",
      ]);
      for (const end of ["member ended", "member gone", "agent is back"])
        expect(daemon.saying(end)).toEqual([]);
    } finally {
      agent.kill("SIGKILL");
      await once(agent, "close");
    }
  });
});

function pathOfPython(): string {
  const { stdout } = Bun.spawnSync(["python3", "-c", "import sys; print(sys.executable)"]);
  return stdout.toString().trim();
}
