import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { HeldUdpSocket } from "../../src/listener/held_udp_socket.ts";
import { UdpSocket } from "../../src/listener/udp_socket.ts";

function opened(): UdpSocket {
  return new UdpSocket({ name: "edge", address: "127.0.0.1", port: 0, rcvbufBytes: 0 });
}

function isOpen({ fd }: UdpSocket): boolean {
  return existsSync(`/proc/self/fd/${fd}`);
}

function held(socket: UdpSocket): HeldUdpSocket {
  return new HeldUdpSocket(socket, { programs: () => [], sealed: false });
}

describe("the socket that a listener holds", () => {
  test("is closed with it", () => {
    const socket = opened();
    held(socket).close();
    expect(isOpen(socket)).toBe(false);
  });

  test("is left open once it was given away, and nothing waits for it any more", () => {
    const socket = opened();
    const before = held(socket);
    before.forsake();
    before.close();
    expect([before.fd, isOpen(socket)]).toEqual([-1, true]);
    socket.close();
  });

  test("is another one after a move, and that of before is the caller's", () => {
    const [before, next] = [opened(), opened()];
    const one = held(before);
    one.moveTo(next);
    expect([one.socket === next, one.fd]).toEqual([true, next.fd]);
    one.close();
    expect([isOpen(next), isOpen(before)]).toEqual([false, true]);
    before.close();
  });
});
