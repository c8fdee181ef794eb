// The other side of a UDP listener in tests: it sends bytes as they are, and waits until the
// listener has taken them.
import { POLLIN, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { PollSet } from "../../ffi/poll.ts";
import { close, inetAddress, openSocket, type SocketAddress, sendTo } from "../../ffi/socket.ts";
import { parseIp } from "../../src/base/ip_address.ts";
import type { Listener } from "../../src/listener/listener.ts";

const PATIENCE_MS = 5_000;

export class UdpPeer implements Disposable {
  readonly #address: SocketAddress;
  readonly #fd: number;

  constructor(to: { readonly address: string; readonly port: number }) {
    this.#address = inetAddress(parseIp(to.address)!.bytes, to.port);
    this.#fd = check(openSocket(this.#address.family, SOCK_DGRAM), "open");
  }

  send(...datagrams: readonly Uint8Array[]): void {
    for (const bytes of datagrams)
      check(sendTo(this.#fd, Uint8Array.from(bytes), this.#address), "send");
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}

export interface Row {
  readonly verdict: number;
  readonly origin: number;
  readonly peerPid: number;
  /** The 32 bytes where the batch says that the frame lies, in hex. */
  readonly frame: string;
}

/** Receives until `count` datagrams have come; fails after five seconds of silence. */
export function receiveRows(listener: Listener, count: number, nowNs = 0): Row[] {
  const rows: Row[] = [];
  while (rows.length < count) {
    waitForDatagram(listener.fd);
    const received = check(listener.receive(nowNs), "receive");
    for (let i = 0; i < received; i++) rows.push(rowOf(listener, i));
  }
  return rows;
}

export function waitForDatagram(fd: number): void {
  const poll = new PollSet(1);
  poll.add(fd, POLLIN);
  if (poll.wait(PATIENCE_MS) !== 1) throw new Error("nothing was received within five seconds");
}

function rowOf({ batch }: Listener, i: number): Row {
  const { words, frameWord, verdict, origin, peerPid } = batch;
  const frame = new Uint8Array(words.slice(frameWord[i]!, frameWord[i]! + 8).buffer).toHex();
  return { verdict: verdict[i]!, origin: origin[i]!, peerPid: peerPid[i]!, frame };
}
