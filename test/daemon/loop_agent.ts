// Child process of loop.test.ts: an agent that puts the monotonic microsecond of its sending into
// the payload of each beat.
import { clockNanoseconds, clockSeconds, readClock } from "../../ffi/clock.ts";
import { AF_UNIX, CLOCK_MONOTONIC, EAGAIN, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { connect, openSocket, send, sendTo, unixAddress } from "../../ffi/socket.ts";
import { encode } from "../../src/wire/encode.ts";

const [socket, beats, intervalMs, how] = process.argv.slice(2) as [string, string, string, string?];
const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
const address = unixAddress(socket);
const isConnected = how === "connected";
if (isConnected) check(connect(fd, address), "connect");
for (let nonce = 1; nonce <= Number(beats); nonce++) {
  readClock(CLOCK_MONOTONIC);
  const payload = (clockSeconds() * 1e6 + Math.floor(clockNanoseconds() / 1_000)) % 2 ** 32;
  const frame = { status: "ok", pid: process.pid, timestamp: 0n, nonce: BigInt(nonce) } as const;
  const bytes = encode({ ...frame, payload });
  for (;;) {
    const result = isConnected ? send(fd, bytes) : sendTo(fd, bytes, address);
    if (result !== -EAGAIN) {
      check(result, "send");
      break;
    }
    await Bun.sleep(1);
  }
  await Bun.sleep(Number(intervalMs));
}
