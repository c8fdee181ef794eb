// What no sender can do to the daemon through its UDP listeners: wrong sizes, forged tags, swapped
// pids, and captures of honest beats sent again. Each datagram is counted under its one reason, and
// nothing else changes (spec 02 sections 4, 5).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { BeatStream } from "../../src/client/beat_stream.ts";
import { Client } from "../../src/client/client.ts";
import { SecureSession } from "../../src/client/secure_session.ts";
import { encode } from "../../src/wire/encode.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { fixedSystem, udpEnd } from "../client/systems.ts";
import { UdpReceiver } from "../client/udp_receiver.ts";
import { UdpPeer } from "../listener/udp_peer.ts";
import { endLeftovers } from "../support/daemon_process.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { countsOf, HOST, MASTER_KEY, SHARED_KEY, UdpDaemon } from "./udp_daemon.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const SHARED = Uint8Array.fromHex(SHARED_KEY);
const MASTER = Uint8Array.fromHex(MASTER_KEY);
const U32_MAX = 0xffff_ffff;
const DATAGRAM_BYTES_MAX = 65_507;
const SIZES: readonly number[] = [
  ...[0, 1, 4, 12, 28, 31, 32, 33, 44, 59, 60, 61, 63, 64, 65, 66],
  ...[91, 92, 93, 95, 96, 97, 120, 128, 129, 512, 1_500, 9_000, DATAGRAM_BYTES_MAX],
];

/** An honest agent whose datagrams an attacker on the way keeps. */
class Tapped implements Disposable {
  readonly client: Client;
  readonly #wire = new UdpReceiver();
  readonly #peer: UdpPeer;

  /** `ivCounter` close to 2^32 makes it change its prefix soon. */
  constructor(pid: number, to: { address: string; port: number }, ivCounter = 0) {
    this.client = new Client(udpEnd(HOST, this.#wire.port), {
      stream: new BeatStream(),
      system: fixedSystem(pid, 10, 0),
      session: new SecureSession({ key: SHARED, keyKind: "shared", ivCounter }),
      reconnectMs: 0,
    });
    this.#peer = new UdpPeer(to);
  }

  /** Beats (or crashes), lets the datagram through and keeps it. */
  pass(isCrash = false): Uint8Array {
    const result = isCrash ? this.client.crashBeat() : this.client.beat();
    expect(result.kind).toBe("sent");
    const [datagram] = this.#wire.receive(1);
    this.#peer.send(datagram!);
    return datagram!;
  }

  /** Sends captures from the very socket of the agent. */
  again(...captured: readonly Uint8Array[]): void {
    this.#peer.send(...captured);
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.#wire.end();
    this.#peer[Symbol.dispose]();
  }
}

function frame(fields: Partial<Frame> & { pid: number }): Uint8Array {
  return encode({ status: "ok", timestamp: 5n, nonce: 1n, payload: 0, ...fields });
}

/** Sealed with `key` under a prefix that no honest agent of these tests has. */
function sealed(key: Uint8Array, plain: Uint8Array, ivCounter = 0): Uint8Array {
  return sealShared({ key, ivRandom: new Uint8Array(8).fill(0xee), ivCounter, frame: plain });
}

describe.concurrent("hostile datagrams by UDP", () => {
  test("of every wrong size are counted as such on both listeners, and nothing else", async () => {
    await using target = await UdpDaemon.start();
    const { daemon, lab, edge } = target;
    using toLab = new UdpPeer(lab);
    using toEdge = new UdpPeer(edge);
    const beat = frame({ pid: 4_000 });
    const own = sealed(SHARED, frame({ pid: 4_001 }));
    toLab.send(beat);
    toEdge.send(own);
    // Frames, and what says hello and bye.
    const wrongAtLab = SIZES.filter((size) => ![32, 64].includes(size));
    const wrongAtEdge = SIZES.filter((size) => ![60, 64, 92, 96].includes(size));
    for (const size of wrongAtLab) toLab.send(resized(beat, size));
    for (const size of wrongAtEdge) toEdge.send(resized(own, size));
    await target.untilReceived("lab", 1 + wrongAtLab.length);
    await target.untilReceived("edge", 1 + wrongAtEdge.length);
    expect(countsOf(await daemon.page())).toEqual({
      'varta_beats_total{pid="4000"}': 1,
      'varta_beats_total{pid="4001"}': 1,
      'varta_datagrams_received_total{listener="lab"}': 1 + wrongAtLab.length,
      'varta_datagrams_accepted_total{listener="lab"}': 1,
      'varta_datagrams_rejected_total{listener="lab",reason="wrong_size"}': wrongAtLab.length,
      'varta_datagrams_received_total{listener="edge"}': 1 + wrongAtEdge.length,
      'varta_datagrams_accepted_total{listener="edge"}': 1,
      'varta_datagrams_rejected_total{listener="edge",reason="wrong_size"}': wrongAtEdge.length,
      varta_truncated_datagrams_total: wrongAtLab.length + wrongAtEdge.length,
      varta_watch_pids_tracked: 2,
    });
  });

  test("that are forged open with no key, whatever was changed in them", async () => {
    await using target = await UdpDaemon.start();
    const { daemon, edge } = target;
    using peer = new UdpPeer(edge);
    const plain = frame({ pid: 4_001 });
    const agentKey = deriveAgentKey(MASTER, 4_001);
    const iv = { ivRandom: new Uint8Array(8).fill(7), ivCounter: 0 };
    const master = sealMaster(4_001, { key: agentKey, ...iv, frame: plain });
    const forgeries = [
      ...everyByteFlipped(sealed(SHARED, plain)),
      ...everyByteFlipped(master),
      // The pid of another agent in front, another pid inside, and the derived key where the shared
      // one belongs.
      Uint8Array.from([0xa2, 0x0f, 0, 0, ...master.subarray(4)]),
      sealMaster(4_001, { key: agentKey, ...iv, frame: frame({ pid: 4_002 }) }),
      sealMaster(4_002, { key: agentKey, ...iv, frame: frame({ pid: 4_002 }) }),
      sealed(agentKey, plain),
      sealed(MASTER, plain),
      new Uint8Array(60),
      new Uint8Array(64).fill(0xff),
      ...[60, 64].map((size) => resized(plain, size)),
    ];
    for (let at = 0; at < forgeries.length; at += 32) {
      peer.send(...forgeries.slice(at, at + 32));
      await target.untilReceived("edge", Math.min(at + 32, forgeries.length));
    }
    // After all that, the honest ones pass.
    peer.send(sealed(SHARED, plain), sealMaster(4_002, masterBeat(4_002)));
    await target.untilReceived("edge", forgeries.length + 2);
    expect(countsOf(await daemon.page())).toEqual({
      'varta_beats_total{pid="4001"}': 1,
      'varta_beats_total{pid="4002"}': 1,
      'varta_datagrams_received_total{listener="edge"}': forgeries.length + 2,
      'varta_datagrams_accepted_total{listener="edge"}': 2,
      'varta_datagrams_rejected_total{listener="edge",reason="decrypt"}': forgeries.length,
      varta_frame_decrypt_failures_total: forgeries.length,
      varta_watch_pids_tracked: 2,
    });
  });

  test("that are sealed and no frame are decode errors, and leave no sender behind", async () => {
    await using target = await UdpDaemon.start({ edge: "sender_states = 1" });
    const { daemon, edge } = target;
    using peer = new UdpPeer(edge);
    const bad = [
      frame({ pid: 4_001, status: "stall" }),
      frame({ pid: 1 }),
      frame({ pid: 4_001, timestamp: 2n ** 64n - 1n }),
      frame({ pid: 4_001, nonce: 2n ** 64n - 1n }),
      new Uint8Array(32),
    ];
    peer.send(...bad.map((plain, at) => sealed(SHARED, plain, at)));
    peer.send(sealed(SHARED, frame({ pid: 4_003 }), 9), sealed(SHARED, frame({ pid: 4_004 }), 9));
    await target.untilReceived("edge", bad.length + 2);
    expect(countsOf(await daemon.page())).toEqual({
      'varta_beats_total{pid="4003"}': 1,
      'varta_datagrams_received_total{listener="edge"}': bad.length + 2,
      'varta_datagrams_accepted_total{listener="edge"}': 1,
      'varta_datagrams_rejected_total{listener="edge",reason="decode"}': bad.length,
      'varta_datagrams_rejected_total{listener="edge",reason="sender_table_full"}': 1,
      'varta_decode_errors_total{kind="bad_magic"}': 1,
      'varta_decode_errors_total{kind="bad_pid"}': 1,
      'varta_decode_errors_total{kind="bad_timestamp"}': 1,
      'varta_decode_errors_total{kind="bad_nonce"}': 1,
      'varta_decode_errors_total{kind="stall_on_wire"}': 1,
      varta_sender_state_full_total: 1,
      varta_watch_pids_tracked: 1,
    });
  });

  test("that were captured are refused: at once, from elsewhere, and after the agent changed its prefix", async () => {
    await using target = await UdpDaemon.start();
    const { daemon, edge } = target;
    using agent = new Tapped(4_001, edge, U32_MAX - 1);
    using elsewhere = new UdpPeer(edge);
    const old = [agent.pass(), agent.pass()];
    agent.again(...old);
    elsewhere.send(...old);
    const next = agent.pass();
    const crash = agent.pass(true);
    const after = agent.pass();
    // One prefix back, and two: the first is known by its counter, the second only by its nonce.
    const captured = [...old, next, crash, after];
    agent.again(...captured);
    elsewhere.send(...captured.toReversed());
    await target.untilReceived("edge", 5 + 4 + 10);
    expect(countsOf(await daemon.page())).toEqual({
      'varta_beats_total{pid="4001"}': 5,
      'varta_datagrams_received_total{listener="edge"}': 19,
      'varta_datagrams_accepted_total{listener="edge"}': 5,
      'varta_datagrams_rejected_total{listener="edge",reason="replay"}': 14,
      varta_secure_replay_refused_total: 14,
      varta_watch_pids_tracked: 1,
    });
  });

  test("that were captured are refused after the stall, too, from prefixes that were forgotten", async () => {
    await using target = await UdpDaemon.start({ args: ["--threshold-ms", "500"] });
    const { daemon, edge } = target;
    using agent = new Tapped(4_001, edge, U32_MAX - 1);
    const [first, second] = [agent.pass(), agent.pass()];
    const third = agent.pass();
    const crash = agent.pass(true);
    agent.again(first, second, third);
    await target.untilReceived("edge", 7);
    // The restart gap is the threshold: the stall says that it has passed.
    await daemon.untilStalls(4_001);
    // The last two prefixes are still known, the one before them was in use.
    agent.again(crash, third, first, second, first, third, crash);
    await target.untilReceived("edge", 14);
    expect(countsOf(await daemon.page())).toEqual({
      'varta_beats_total{pid="4001"}': 4,
      'varta_stalls_total{pid="4001"}': 1,
      'varta_stalls_seen_total{listener="edge"}': 1,
      'varta_datagrams_received_total{listener="edge"}': 14,
      'varta_datagrams_accepted_total{listener="edge"}': 4,
      'varta_datagrams_rejected_total{listener="edge",reason="replay"}': 10,
      varta_secure_replay_refused_total: 10,
      varta_watch_pids_tracked: 1,
    });
  });
});

/** `bytes` cut or filled up with zeros. */
function resized(bytes: Uint8Array, size: number): Uint8Array {
  const other = new Uint8Array(size);
  other.set(bytes.subarray(0, size));
  return other;
}

function everyByteFlipped(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte, at) => bytes.with(at, byte ^ (1 << (at % 8))));
}

function masterBeat(pid: number) {
  const key = deriveAgentKey(MASTER, pid);
  return { key, ivRandom: new Uint8Array(8).fill(9), ivCounter: 0, frame: frame({ pid }) };
}
