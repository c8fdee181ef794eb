// Pages that follow the events and whose machine is gone: no FIN comes, and no reset (spec 13
// section 2). A network namespace loses its loopback interface with all of them connected.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { EVENT_STREAMS_MAX } from "../../../src/view/event_streams.ts";
import { RawClient } from "../../http/raw_client.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(120_000);
afterAll(endLeftovers);

/** Unacknowledged bytes of 30 s, and what it takes to find that out. */
const FREE_MS_MAX = 60_000;
const TOKEN = "11".repeat(32);
const CAN_MAKE_ONE = process.getuid?.() === 0 && Bun.which("ip") !== null;

const CLIENTS = `
import socket, sys, time
port, token, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
head = "GET /v1/events HTTP/1.1\\r\\nHost: localhost\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n" % token
clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
for client in clients: client.sendall(head.encode())
for client in clients: client.recv(12)
print("all", flush=True)
time.sleep(300)
`;

/** By their inodes. A file that the daemon has open for a moment is none of them. */
function socketsOf(pid: number): Set<string> {
  const directory = `/proc/${pid}/fd`;
  const sockets = new Set<string>();
  for (const name of readdirSync(directory)) {
    try {
      const link = readlinkSync(`${directory}/${name}`);
      if (link.startsWith("socket:")) sockets.add(link);
    } catch {
      // Closed since its name was read.
    }
  }
  return sockets;
}

describe.skipIf(!CAN_MAKE_ONE)("pages whose machine is gone", () => {
  test("are given up within a minute, and their places are free", async () => {
    using directory = new TemporaryDirectory();
    const config = `[metrics]\ntoken_file = "${directory.at("token")}"\n`;
    await using daemon = await DaemonProcess.start({
      config,
      directory: directory.path,
      files: { token: TOKEN },
      through: [
        ...["unshare", "--net", "--fork", "--kill-child"],
        ...["sh", "-c", 'ip link set lo up && exec "$@"', "sh"],
      ],
    });
    const inside = ["nsenter", `--net=/proc/${daemon.pid}/ns/net`];
    const before = socketsOf(daemon.pid);
    const opened = () => [...socketsOf(daemon.pid)].filter((socket) => !before.has(socket)).length;
    const args = [CLIENTS, `${daemon.metricsPort}`, TOKEN, `${EVENT_STREAMS_MAX}`];
    const clients = Bun.spawn([...inside, "python3", "-c", ...args], { stdout: "pipe" });
    try {
      await clients.stdout.getReader().read();
      expect(opened()).toBe(EVENT_STREAMS_MAX);
      expect((await runCommand([...inside, "ip", "link", "set", "lo", "down"])).exitCode).toBe(0);
      // The words that nothing happens alone are enough to find it out.
      await until("their places", () => opened() === 0, FREE_MS_MAX);
      using client = await RawClient.open({ path: daemon.path("control.sock") });
      client.end('{"v":1,"do":"status"}\n');
      await until("an answer", () => client.hasEnded);
      expect(client.received).toContain('{"done":true}');
    } finally {
      clients.kill("SIGKILL");
      await clients.exited;
    }
  });
});
