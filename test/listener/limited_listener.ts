// A listener in a process of its own that lacks something, as its first argument says. It prints
// what came of it as JSON.
import { closeSync, existsSync, openSync } from "node:fs";
import {
  AF_UNIX,
  EPERM,
  SOCK_DGRAM,
  SO_PASSCRED,
  SO_PASSPIDFD,
  SO_PASSRIGHTS,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { close, getSocketOption, openSocket, sendTo, unixAddress } from "../../ffi/socket.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { refuseOption } from "../support/refused_option.ts";

const [what, path] = process.argv.slice(2) as [string, string];
/** Two ticks pass between any two receives: the socket is quiet all the time. */
let generation = 0;

function listen(): UnixListener {
  const nowGeneration = () => (generation += 2);
  const options = { name: "x", path, mode: 0o600, gid: undefined, rcvbufBytes: 0 };
  return new UnixListener({ ...options, allowList: undefined, nowGeneration });
}

const sender = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");

/** Pids of the senders and pidfds of one receive of `count` datagrams. */
function receive(listener: UnixListener, count: number) {
  for (let i = 0; i < count; i++)
    check(sendTo(sender, new Uint8Array(new ArrayBuffer(32)), unixAddress(path)), "send");
  const received = listener.receive(0);
  const { peerPid, pidfd } = listener.batch;
  return {
    received,
    named: peerPid.subarray(0, received).every((pid) => pid === process.pid),
    pidfds: pidfd.subarray(0, received).filter((fd) => fd >= 0).length,
    asks: getSocketOption(listener.fd, SO_PASSPIDFD) === 1,
  };
}

function withoutCredentials() {
  refuseOption(SO_PASSCRED, EPERM);
  try {
    listen();
    return "bound";
  } catch (error) {
    return { message: (error as Error).message, bound: existsSync(path) };
  }
}

/** `left` descriptors may still be opened. */
function withDescriptors(left: number) {
  const listener = listen();
  const first = receive(listener, 3);
  listener.release();
  const held: number[] = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    for (const fd of held.splice(0, left)) closeSync(fd);
  }
  const scarce = receive(listener, 3);
  const behind = receive(listener, 3);
  // A second later.
  generation += 100;
  const again = receive(listener, 1);
  listener.release();
  let free = 0;
  try {
    for (;;) held.push(openSync("/dev/null", "r")) && free++;
  } catch {
    for (const fd of held) closeSync(fd);
  }
  return { first, scarce, behind, again, free };
}

function withRefused(option: number) {
  refuseOption(option, EPERM);
  return receive(listen(), 3);
}

const results: Readonly<Record<string, () => unknown>> = {
  credentials: withoutCredentials,
  rights: () => withRefused(SO_PASSRIGHTS),
  pidfd: () => withRefused(SO_PASSPIDFD),
  none: () => withDescriptors(0),
  one: () => withDescriptors(1),
};
console.log(JSON.stringify(results[what]!()));
close(sender);
