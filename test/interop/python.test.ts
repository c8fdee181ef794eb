// The protocol between two implementations that share nothing but its pages: Python beats at the
// real daemon over every transport, and reads what the client library sends.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { SecureSession } from "../../src/client/secure_session.ts";
import { BoundReceiver } from "../client/bound_receiver.ts";
import { fixedSystem, udpEnd, unixEnd } from "../client/systems.ts";
import { UdpReceiver } from "../client/udp_receiver.ts";
import { endLeftovers } from "../support/daemon_process.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { HAS_PYTHON, NEEDS_PYTHON, PythonPeer } from "./python_peer.ts";
import { countsOf, HOST, MASTER_KEY, SHARED_KEY, UdpDaemon } from "./udp_daemon.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const TERMINAL = `${2n ** 64n - 1n}`;
const U32_MAX = 0xffff_ffff;
/** Seconds and nanoseconds of a machine that has been up for years: the timestamp exceeds 2^53. */
const SYSTEM = fixedSystem(54_321, 123_456_789, 987_654_321);
const TIMESTAMP = 123_456_789_987_654_321n;

describe.skipIf(!HAS_PYTHON)(`an independent implementation in Python${NEEDS_PYTHON}`, () => {
  test("agrees with every vector of the protocol and with RFC 8439", async () => {
    await using peer = new PythonPeer();
    const file = join(import.meta.dir, "../vectors/vlp-test-vectors.json");
    expect(await peer.ask({ do: "vectors", file })).toEqual({
      crc: 5,
      frames: 15,
      secure: 5,
      rfc: 6,
      derived: 3,
    });
  });

  test("beats over every transport, and the daemon takes every beat", async () => {
    await using target = await UdpDaemon.start();
    const { daemon, lab, edge } = target;
    const [unix, plain, shared, master] = Array.from({ length: 4 }, () => new PythonPeer());
    const peers = [unix!, plain!, shared!, master!];
    await using _all = { [Symbol.asyncDispose]: () => dispose(peers) };
    const lifetime = { do: "beat", count: 12, rotateAfter: 7, crash: true, host: HOST };
    await Promise.all([
      unix!.ask({ do: "beat", path: daemon.socket, count: 9 }),
      plain!.ask({ do: "beat", host: HOST, port: lab.port, count: 10, crash: true }),
      shared!.ask({ ...lifetime, port: edge.port, key: SHARED_KEY }),
      master!.ask({ ...lifetime, port: edge.port, master: MASTER_KEY }),
    ]);
    await target.untilReceived("unix-0", 9);
    await target.untilReceived("lab", 11);
    await target.untilReceived("edge", 26);
    expect(countsOf(await daemon.page())).toEqual({
      [`varta_beats_total{pid="${unix!.pid}"}`]: 9,
      [`varta_beats_total{pid="${plain!.pid}"}`]: 11,
      [`varta_beats_total{pid="${shared!.pid}"}`]: 13,
      [`varta_beats_total{pid="${master!.pid}"}`]: 13,
      'varta_datagrams_received_total{listener="unix-0"}': 9,
      'varta_datagrams_received_total{listener="lab"}': 11,
      'varta_datagrams_received_total{listener="edge"}': 26,
      'varta_datagrams_accepted_total{listener="unix-0"}': 9,
      'varta_datagrams_accepted_total{listener="lab"}': 11,
      'varta_datagrams_accepted_total{listener="edge"}': 26,
      varta_watch_pids_tracked: 4,
    });
  });

  test("reads what the client sends over every transport", async () => {
    await using peer = new PythonPeer();
    using local = new BoundReceiver();
    using wire = new UdpReceiver();
    const plain = new Client(unixEnd(local.path), parts(undefined));
    for (const send of [() => plain.beat("degraded", 7), () => plain.crashBeat(8)]) send();
    const udp = new Client(udpEnd(HOST, wire.port), parts(undefined));
    udp.beat("critical", U32_MAX);
    const datagrams = [...local.receive().map(({ bytes }) => bytes), ...wire.receive(1)];
    const answers = [];
    for (const datagram of datagrams) answers.push(await peer.explain(datagram, {}));
    const common = { pid: 54_321, timestamp: `${TIMESTAMP}` };
    expect(answers).toEqual([
      { ...common, status: "degraded", nonce: "1", payload: 7 },
      {
        ...common,
        status: "critical",
        nonce: TERMINAL,
        payload: 8,
        timestamp: `${TIMESTAMP + 1n}`,
      },
      { ...common, status: "critical", nonce: "1", payload: U32_MAX },
    ]);
    plain.close();
    udp.close();
  });

  for (const keyKind of ["shared", "master"] as const)
    test(`opens what the client seals with a ${keyKind} key, across rotation and crash`, async () => {
      await using peer = new PythonPeer();
      using wire = new UdpReceiver();
      const hex = keyKind === "shared" ? SHARED_KEY : MASTER_KEY;
      const keys = keyKind === "shared" ? { key: hex } : { master: hex };
      const session = new SecureSession({
        key: Uint8Array.fromHex(hex),
        keyKind,
        prefixIndex: U32_MAX,
        ivCounter: U32_MAX - 1,
      });
      using client = new Client(udpEnd(HOST, wire.port), parts(session));
      for (let sent = 0; sent < 4; sent++) client.beat("ok", sent);
      client.crashBeat(9);
      const rows = [];
      for (const datagram of wire.receive(5)) {
        const { pid, status, nonce, payload } = await peer.explain(datagram, keys);
        rows.push([pid, status, nonce, payload]);
      }
      expect(rows).toEqual([
        [54_321, "ok", "1", 0],
        [54_321, "ok", "2", 1],
        [54_321, "ok", "3", 2],
        [54_321, "ok", "4", 3],
        [54_321, "critical", TERMINAL, 9],
      ]);
      client.beat();
      const [forged] = wire.receive(1);
      forged![forged!.length - 1]! ^= 1;
      expect(await peer.explain(forged!, keys)).toEqual({ error: "NotOpened" });
    });
});

function parts(session: SecureSession | undefined) {
  return { stream: new BeatStream(), system: SYSTEM, session, reconnectMs: 0 };
}

async function dispose(peers: readonly PythonPeer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
}
