// An agent that connects once and never again: to whom its socket is dead it goes on sending. A
// byte on its standard input, and it hangs in a sleep.
import { AF_UNIX, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { encode } from "../../src/wire/encode.ts";

const BEAT_MS = 50;

const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
check(connect(fd, unixAddress(process.argv[2]!)), "connect");
let nonce = 0n;

function beat(): void {
  nonce += 1n;
  const timestamp = BigInt(Math.round(performance.now() * 1e6));
  send(fd, encode({ status: "ok", pid: process.pid, nonce, payload: 0, timestamp }));
}

beat();
setInterval(beat, BEAT_MS);
console.log("beats");
process.stdin.on("data", () => {
  console.log("hangs");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
