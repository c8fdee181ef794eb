// A daemon whose loop turns and whose listener nobody can reach: in a network namespace of its own,
// where the loopback is down. Only the beat to itself shows it.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(60_000);
afterAll(endLeftovers);

const canUnshare = Bun.spawnSync(["unshare", "-n", "true"]).exitCode === 0;

async function health(socket: string): Promise<string> {
  const response = await fetch("http://localhost/-/healthy", { unix: socket });
  return `${response.status} ${(await response.text()).trim()}`;
}

test.skipIf(!canUnshare)(
  "health fails while no self-beat comes round (needs unshare)",
  async () => {
    using own = new TemporaryDirectory();
    const directory = own.path;
    const metrics = `${directory}/metrics.sock`;
    const config = `
[metrics]
listen = "unix:${metrics}"

[[listener]]
kind = "udp"
name = "lan"
address = "0.0.0.0"
port = ${freeUdpPorts(1)[0]}
accept_plaintext = true

[[listener]]
kind = "unix"
path = "${directory}/varta.sock"
`;
    const as = ["unshare", "-n"];
    await using daemon = new DaemonProcess({
      ...{ directory, config, as },
      ...{ ownListeners: true, metrics: false },
    });
    await daemon.untilSays("ready");
    expect(await health(metrics)).toBe("200 ok");
    await daemon.untilSays("self-beat missing");
    const { fields } = daemon.saying("self-beat missing")[0]!;
    expect([fields.get("listener"), fields.get("reason")]).toEqual([
      "lan",
      "ENETUNREACH (network is unreachable)",
    ]);
    expect(await health(metrics)).toBe("503 stale");

    const up = ["nsenter", "-n", "-t", `${daemon.pid}`, "ip", "link", "set", "lo", "up"];
    expect(Bun.spawnSync(up).exitCode).toBe(0);
    await daemon.untilSays("self-beat is back");
    await until("health to say so", async () => (await health(metrics)) === "200 ok");
    expect(daemon.saying("self-beat missing").length).toBe(1);
  },
);
