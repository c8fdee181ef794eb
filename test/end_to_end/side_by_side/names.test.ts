// Real programs that beat are called by what they run, also after they replaced themselves (spec 03
// section 2.2).
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { STATUS_OK } from "../../../src/wire/frame.ts";
import { encodeFrame } from "../../../src/wire/encode.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** Longer than a look at a member is good for. */
const THRESHOLD_MS = 1_200;

/** Sends each line of its input as a datagram, in hex; "exec" makes it the program after it. */
const AGENT = `import os, socket, sys
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    line = os.read(0, 65).decode()
    if line == "":
        break
    if line.startswith("exec"):
        os.execv(sys.executable, [sys.executable, "-u", sys.argv[2], sys.argv[1]])
    out.sendto(bytes.fromhex(line), sys.argv[1])
`;

test.concurrent.skipIf(Bun.which("python3") === null)(
  "a script that becomes another one stalls and returns under the name of that",
  async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await DaemonProcess.start({ args: ["--threshold-ms", `${THRESHOLD_MS}`] });
    mkdirSync(directory.at("bin"));
    const [boot, real] = ["vc-boot.py", "vc real\x1b.py"].map((name) =>
      directory.at(`bin/${name}`),
    );
    for (const file of [boot!, real!]) writeFileSync(file, AGENT);
    const agent = spawn("python3", [boot!, daemon.socket, real!]);
    try {
      const pid = agent.pid!;
      agent.stdin.write(beat(pid, 1));
      await until("the agent to be tracked", async () => (await daemon.state()).agents === 1);
      agent.stdin.write("exec\n");
      await until("its stall", () => daemon.saying("agent stalled", pid).length === 1);
      agent.stdin.write(beat(pid, 2));
      await until("its return", () => daemon.saying("agent is back", pid).length === 1);
      const lines = [
        ...daemon.saying("agent stalled", pid),
        ...daemon.saying("agent is back", pid),
      ];
      for (const line of lines) expect(line.fields.get("agent")).toBe("vc%20real%1B.py");
    } finally {
      agent.kill("SIGKILL");
    }
  },
);

function beat(pid: number, nonce: number): string {
  const words = new Uint32Array(8);
  encodeFrame(words, 0, STATUS_OK, pid, 0, nonce, 0, nonce, 0);
  return `${Buffer.from(words.buffer).toString("hex")}\n`;
}
