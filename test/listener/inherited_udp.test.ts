// A UDP listener on a socket that the daemon before has left (spec 05 section 9.1).
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { IS_LINUX } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { attachFilter } from "../../ffi/socket_filter.ts";
import { UdpListener } from "../../src/listener/udp.ts";
import { UdpSocket } from "../../src/listener/udp_socket.ts";
import { KeptSockets } from "../../src/sockets/kept_sockets.ts";
import { storedUdpName } from "../../src/sockets/stored_name.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { freeUdpPorts } from "../support/free_ports.ts";
import { receiveRows, UdpPeer } from "./udp_peer.ts";

/** BPF_RET | BPF_K with 0 bytes: every datagram is dropped. */
const DROP_ALL = [{ code: 0x06, jt: 0, jf: 0, k: 0 }];
const FRAME = new Uint8Array(32);
const OPTIONS = { name: "edge", rcvbufBytes: 0 };

let said: string[];
let before: ReadonlySet<string>;
let port: number;

beforeEach(() => {
  before = openDescriptors();
  [port] = freeUdpPorts(1) as [number];
  said = [];
});

afterEach(() => expect(openedSince(before)).toEqual([]));

const store = {
  add: (name: string) => void said.push(`add ${name}`),
  remove: (name: string) => void said.push(`remove ${name}`),
  has: () => true,
};

/** What is handed over has the descriptor that the daemon before had, and its name. */
function keptWith(...passed: { fd: number; name: string }[]): KeptSockets {
  return new KeptSockets({
    store,
    passed,
    queueLength: 512,
    reports: {
      madeAnew: () => said.push("anew"),
      disagrees: () => said.push("disagrees"),
      closed: (name, reason) => said.push(`closed ${name}: ${reason}`),
      leftAlone: (fds) => said.push(`left alone ${fds.length}`),
    },
  });
}

function opened(kept: KeptSockets, address = "127.0.0.1", at = port): UdpSocket {
  return new UdpSocket({ ...OPTIONS, address, port: at, kept });
}

function nameAt(address: string, at = port): string {
  return storedUdpName({ address, port: at });
}

describe.skipIf(!IS_LINUX)("UdpSocket and what outlives the process (Linux)", () => {
  test("is stored by its address, taken over by the next one, and left there at the end", () => {
    const first = opened(keptWith());
    expect(said).toEqual([`add ${nameAt("127.0.0.1")}`]);
    const kept = keptWith({ fd: first.fd, name: nameAt("127.0.0.1") });
    const second = opened(kept);
    expect([second.fd, second.port]).toEqual([first.fd, port]);
    expect(kept.tookOver({ address: "127.0.0.1", port })).toBe(true);
    kept.closeRest();
    kept.beginEnd();
    second.close();
    expect(said).toHaveLength(1);
  });

  test("has what was sent between two daemons, and no filter of the one before", () => {
    const first = opened(keptWith());
    using peer = new UdpPeer({ address: "127.0.0.1", port });
    peer.send(FRAME, FRAME);
    check(attachFilter(first.fd, DROP_ALL), "attach");
    peer.send(FRAME);
    const socket = opened(keptWith({ fd: first.fd, name: nameAt("127.0.0.1") }));
    peer.send(FRAME);
    const options = { ...OPTIONS, address: "127.0.0.1", port, acceptRecovery: false };
    const listener = new UdpListener(options, socket);
    expect(receiveRows(listener, 3)).toHaveLength(3);
    // The one that the filter dropped is of the time before.
    expect(listener.kernelDrops).toBe(0);
    listener.close();
  });

  test("is taken out of the store when it is closed before the process ends", () => {
    opened(keptWith()).close();
    expect(said[1]).toBe(`remove ${nameAt("127.0.0.1")}`);
  });

  test("is not stored where the kernel chose the port", () => {
    opened(keptWith(), "127.0.0.1", 0).close();
    expect(said).toEqual([]);
  });

  test.each([
    ["127.0.0.1", "0.0.0.0"],
    ["0.0.0.0", "127.0.0.1"],
  ])("of another address of its port does not stand in the way: %s, then %s", (was, is) => {
    const old = opened(keptWith(), was);
    const kept = keptWith({ fd: old.fd, name: nameAt(was) });
    const socket = opened(kept, is);
    expect(socket.fd).not.toBe(old.fd);
    kept.closeRest();
    expect(said.slice(1)).toEqual([
      `add ${nameAt(is)}`,
      `remove ${nameAt(was)}`,
      `closed ${nameAt(was)}: no configured listener has its address`,
    ]);
    socket.close();
  });

  test("is taken by its own address, whatever the name says, and only from the store", () => {
    const [other] = freeUdpPorts(1) as [number];
    const old = opened(keptWith(), "127.0.0.1", other);
    const unit = new UdpSocket({ ...OPTIONS, address: "127.0.0.2", port });
    const kept = keptWith(
      { fd: old.fd, name: nameAt("127.0.0.1") },
      { fd: unit.fd, name: "varta-watch.socket" },
    );
    const socket = opened(kept);
    expect(socket.fd).not.toBe(old.fd);
    expect(() => opened(kept, "127.0.0.2")).toThrow("EADDRINUSE");
    kept.closeRest();
    expect(said.filter((line) => line.startsWith("closed"))).toHaveLength(2);
    socket.close();
  });
});
