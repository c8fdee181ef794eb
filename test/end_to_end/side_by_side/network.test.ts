// Beats across the network: what the operator has to configure, what the log says, how the beats
// are counted, and when they may lead to a recovery (spec 05 sections 1 and 6, spec 07
// section 2.11).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { type Client, connectSecureUdp, connectUdp } from "../../../src/client/mod.ts";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { UdpPeer } from "../../listener/udp_peer.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const OWN = process.pid;
const HOST = "127.0.0.1";
const KEY = "5a".repeat(32);
const MASTER = "c3".repeat(32);
const THRESHOLD = ["--threshold-ms", "600"];
const RECOVERY = ["--recovery-exec", "touch recovered-{pid}"];
const PLAIN_WARNING = "unauthenticated listener";
const RECOVERY_WARNING = "unattested recoveries accepted";
const REACHABLE_WARNING = "listener reachable by network";

const canIpv6 = hasIpv6Loopback();
const NEEDS_IPV6 = canIpv6 ? "" : " (skipped: there is no ::1)";

interface Net {
  readonly daemon: DaemonProcess;
  readonly port: number;
}

/** A daemon with one more listener, called "net", at a free port. */
async function start(
  table: string,
  { args = [], address = HOST }: { args?: readonly string[]; address?: "127.0.0.1" | "::1" } = {},
): Promise<Net> {
  const [port] = freeUdpPorts(1, address) as [number];
  const daemon = await DaemonProcess.start({
    args: [...THRESHOLD, "--export-file", "events.jsonl", ...args],
    files: { key: KEY, master: MASTER },
    config: `${PER_PID}[export]\nformat = "jsonl"\nevents = ["beat"]\n\n${listener(table, port, address)}`,
  });
  return { daemon, port };
}

function listener(table: string, port: number, address: string = HOST): string {
  return `[[listener]]\nname = "net"\naddress = "${address}"\nport = ${port}\n${table}\n`;
}

const PER_PID = "[metrics]\nper_pid = true\n\n";

const PLAIN = 'kind = "udp"\naccept_plaintext = true';

describe.concurrent("beats by plain UDP", () => {
  test("are counted, called unverified, and never lead to a recovery unless it is accepted", async () => {
    const { daemon, port } = await start(`${PLAIN}\naccept_recovery = false`, { args: RECOVERY });
    await using _daemon = daemon;
    beat(connectUdp({ host: HOST, port }), 3);
    await daemon.untilStalls(OWN);
    const page = await daemon.page();
    expect(sampleAt(page, `varta_beats_total{pid="${OWN}"}`)).toBe(3);
    expect(sampleAt(page, 'varta_datagrams_accepted_total{listener="net"}')).toBe(3);
    const refused = 'varta_recovery_refused_total{reason="unauthenticated_transport"}';
    expect(sampleAt(page, refused)).toBe(1);
    expect(existsSync(daemon.path(`recovered-${OWN}`))).toBe(false);
    expect(warnings(daemon)).toEqual([PLAIN_WARNING]);
    await daemon.stop();
    expect(origins(daemon)).toEqual(["network_unverified"]);
  });

  test("lead to one if the operator accepts it for the listener, which is warned about", async () => {
    const { daemon, port } = await start(`${PLAIN}\naccept_recovery = true`, { args: RECOVERY });
    await using _daemon = daemon;
    beat(connectUdp({ host: HOST, port }), 1);
    await until("the recovery", () => existsSync(daemon.path(`recovered-${OWN}`)));
    expect(warnings(daemon)).toEqual([PLAIN_WARNING, RECOVERY_WARNING]);
    await daemon.stop();
    expect(origins(daemon)).toEqual(["operator_attested"]);
  });

  test("come with the options of the Rust observer, too", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await DaemonProcess.start({
      args: ["--udp-bind-addr", HOST, "--udp-port", `${port}`, "--i-accept-plaintext-udp"],
    });
    expect(warnings(daemon)).toEqual([PLAIN_WARNING]);
    beat(connectUdp({ host: HOST, port }), 2);
    await daemon.untilReceived(2, "udp-0");
    expect(sampleAt(await daemon.page(), `varta_beats_total{pid="${OWN}"}`)).toBe(2);
    await daemon.untilStalls(OWN);
    expect(daemon.stallsOf(OWN)[0]!.fields.get("origin")).toBe("network_unverified");
  });

  test.skipIf(!canIpv6)(`come by IPv6${NEEDS_IPV6}`, async () => {
    const { daemon, port } = await start(PLAIN, { address: "::1" });
    await using _daemon = daemon;
    beat(connectUdp({ host: "::1", port }), 2);
    await daemon.untilReceived(2, "net");
    expect(sampleAt(await daemon.page(), `varta_beats_total{pid="${OWN}"}`)).toBe(2);
  });

  test.skipIf(!canIpv6)(
    `come to one port by both families, each its listener${NEEDS_IPV6}`,
    async () => {
      const [port] = freeUdpPorts(1) as [number];
      const both = ["0.0.0.0", "::"].map(
        (address, i) =>
          `[[listener]]\nname = "v${i}"\naddress = "${address}"\nport = ${port}\n${PLAIN}\n`,
      );
      await using daemon = await DaemonProcess.start({ config: both.join("\n") });
      beat(connectUdp({ host: HOST, port }), 1);
      beat(connectUdp({ host: "::1", port }), 2);
      await daemon.untilReceived(1, "v0");
      await daemon.untilReceived(2, "v1");
    },
  );

  test("that the kernel had to drop are reported, so that silence is not taken for death", async () => {
    const { daemon, port } = await start(`${PLAIN}\nrcvbuf_bytes = 4096`);
    await using _daemon = daemon;
    using peer = new UdpPeer({ address: HOST, port });
    const SENT = 500;
    daemon.signal("SIGSTOP");
    for (let sent = 0; sent < SENT; sent++) peer.send(new Uint8Array(31));
    daemon.signal("SIGCONT");
    const dropped = 'varta_udp_kernel_drops_total{listener="net"}';
    await until("the drops to be told", async () => sampleAt(await daemon.page(), dropped) > 0);
    const page = await daemon.page();
    const received = sampleAt(page, 'varta_datagrams_received_total{listener="net"}');
    expect(received + sampleAt(page, dropped)).toBe(SENT);
    expect(received).toBeGreaterThan(0);
    // The kernel doubles what was asked for.
    expect(sampleAt(page, 'varta_udp_rcvbuf_bytes{listener="net"}')).toBe(8_192);
  });
});

describe.concurrent("beats by secure UDP", () => {
  test("are counted, with every decrypt trial, and never lead to a recovery unless it is accepted", async () => {
    const table = 'kind = "secure-udp"\naccept_recovery = false';
    const keys = ["--key-file", "key", "--master-key-file", "master"];
    const { daemon, port } = await start(table, { args: [...RECOVERY, ...keys] });
    await using _daemon = daemon;
    beat(connectSecureUdp({ host: HOST, port, key: KEY }), 3);
    beat(connectSecureUdp({ host: HOST, port, masterKey: MASTER }), 2);
    await daemon.untilReceived(5, "net");
    await daemon.untilStalls(OWN);
    const page = await daemon.page();
    expect(sampleAt(page, `varta_beats_total{pid="${OWN}"}`)).toBe(5);
    // One trial for a frame with the shared key, two for one with the key of the agent.
    expect(sampleAt(page, "varta_secure_aead_attempts_total")).toBe(3 + 2 * 2);
    expect(sampleAt(page, "varta_io_errors_total")).toBe(0);
    expect(sumOf(page, "varta_recovery_refused_total")).toBe(1);
    expect(warnings(daemon)).toEqual([]);
    const [stall] = daemon.stallsOf(OWN);
    expect(stall!.fields.get("agent")).toBe(`${HOST}/${OWN}`);
    expect(stall!.fields.get("origin")).toBe("key_attested");
    await daemon.stop();
    expect(origins(daemon)).toEqual(["key_attested"]);
  });

  test("lead to one if the operator accepts it", async () => {
    const table = 'kind = "secure-udp"\naccept_recovery = true';
    const { daemon, port } = await start(table, { args: [...RECOVERY, "--key-file", "key"] });
    await using _daemon = daemon;
    beat(connectSecureUdp({ host: HOST, port, key: KEY }), 1);
    await until("the recovery", () => existsSync(daemon.path(`recovered-${OWN}`)));
    expect(warnings(daemon)).toEqual([RECOVERY_WARNING]);
  });

  test("come with the options of the Rust observer, too", async () => {
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = await DaemonProcess.start({
      args: ["--udp-port", `${port}`, "--key-file", "key", "--threshold-ms", "300"],
      files: { key: `${KEY}\n` },
    });
    beat(connectSecureUdp({ host: HOST, port, key: KEY }), 2);
    await daemon.untilReceived(2, "secure-udp-0");
    expect(sampleAt(await daemon.page(), `varta_beats_total{pid="${OWN}"}`)).toBe(2);
  });

  test("from everywhere are warned about, once they are allowed", async () => {
    const [port] = freeUdpPorts(1) as [number];
    const table = `[[listener]]\nkind = "secure-udp"\naddress = "0.0.0.0"\nport = ${port}`;
    const args = ["--key-file", "key"];
    const files = { key: KEY };
    await using refused = new DaemonProcess({ args, files, config: table });
    expect(await refused.exited()).toBe(78);
    expect(refused.stderr).toContain(
      '1st [[listener]]: address: found "0.0.0.0", not a loopback address; want accept_non_loopback = true beside it',
    );
    const config = `${table}\naccept_non_loopback = true`;
    await using daemon = await DaemonProcess.start({ args, files, config });
    expect(warnings(daemon)).toEqual([REACHABLE_WARNING]);
  });
});

describe.concurrent("a daemon with nothing but a network listener", () => {
  test("says that it is ready", async () => {
    using directory = new TemporaryDirectory();
    const [port] = freeUdpPorts(1) as [number];
    await using daemon = new DaemonProcess({
      directory: directory.path,
      ownListeners: true,
      config: listener(PLAIN, port),
    });
    await daemon.untilSays("ready");
    beat(connectUdp({ host: HOST, port }), 2);
    await daemon.untilReceived(2, "net");
    expect(await daemon.stop()).toBe(0);
  });
});

describe.concurrent("a daemon with a network listener does not start", () => {
  const refusals = [
    {
      name: "with a recovery command and not a word about recovery by udp",
      table: PLAIN,
      args: RECOVERY,
    },
    {
      name: "with a recovery command and not a word about recovery by secure-udp",
      table: 'kind = "secure-udp"',
      args: [...RECOVERY, "--key-file", "key"],
    },
  ];

  test.each(refusals)("$name", async ({ table, args }) => {
    const [port] = freeUdpPorts(1) as [number];
    const config = listener(table, port);
    await using daemon = new DaemonProcess({ args, files: { key: KEY }, config });
    expect(await daemon.exited()).toBe(78);
    expect(daemon.stderr).toContain(
      "listener net: accept_recovery: found nothing; want true or false, because [recovery] has a command",
    );
    expect(existsSync(daemon.socket)).toBe(false);
  });

  test("with a recovery command and no option about recovery, and names the option", async () => {
    const [port] = freeUdpPorts(1) as [number];
    const args = ["--udp-port", `${port}`, "--key-file", "key", ...RECOVERY];
    await using daemon = new DaemonProcess({ args, files: { key: KEY } });
    expect(await daemon.exited()).toBe(64);
    expect(daemon.stderr).toContain(
      "found no --secure-udp-i-accept-recovery-on-unauthenticated-transport; want it as =true or =false",
    );
  });

  test("whose port is taken, and says by which command one sees by whom", async () => {
    const { daemon, port } = await start(PLAIN);
    await using _daemon = daemon;
    await using second = new DaemonProcess({ config: listener(PLAIN, port) });
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toContain(`cannot open listener net on UDP ${HOST}:${port}`);
    expect(second.stderr).toContain("varta-watch: hint: another program has the port: ss -lunp");
  });
});

/** Beats, and falls silent without a bye. */
function beat(client: Client, count: number): void {
  using silent = client;
  for (let sent = 0; sent < count; sent++) expect(silent.beat().kind).toBe("sent");
}

/** What the start-up warned about, of the three things that network listeners are warned about. */
function warnings(daemon: DaemonProcess): string[] {
  const known = [PLAIN_WARNING, REACHABLE_WARNING, RECOVERY_WARNING];
  const given = daemon.lines.filter(({ level }) => level === "warn").map(({ msg }) => msg);
  return given.flatMap((msg) => known.filter((warning) => msg.startsWith(warning)));
}

/** Origins of all exported beats and stalls, each once. */
function origins(daemon: DaemonProcess): string[] {
  const lines = readFileSync(daemon.path("events.jsonl"), "utf8").split("\n").slice(0, -1);
  const rows = lines.map((line) => JSON.parse(line) as { readonly origin: string });
  return [...new Set(rows.map(({ origin }) => origin))];
}

function hasIpv6Loopback(): boolean {
  try {
    freeUdpPorts(1, "::1");
    return true;
  } catch {
    return false;
  }
}
