// Pages that follow the events and whose machine is gone: no FIN comes, and no reset (spec 13
// section 2). A network namespace loses its loopback interface with all of them connected.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
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

/** The state of a socket that waits for connections. */
const LISTENS = "0A";

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

/** TCP connections of the process by their inodes; what else it has open is none of them. */
function connectionsOf(pid: number): string[] {
  const rows = readFileSync(`/proc/${pid}/net/tcp`, "latin1").trim().split("\n").slice(1);
  const cells = rows.map((row) => row.trim().split(/ +/));
  const connected = cells.filter((row) => row[3] !== LISTENS).map((row) => row[9]!);
  const directory = `/proc/${pid}/fd`;
  const held = readdirSync(directory).map((name) => {
    try {
      return readlinkSync(`${directory}/${name}`);
    } catch {
      // Closed since its name was read.
      return "";
    }
  });
  return connected.filter((inode) => held.includes(`socket:[${inode}]`));
}

describe.concurrent.skipIf(!CAN_MAKE_ONE)("pages whose machine is gone", () => {
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
    const opened = () => connectionsOf(daemon.pid).length;
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
