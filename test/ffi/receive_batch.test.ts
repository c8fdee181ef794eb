// The receive arena on a real socket: who sent it, how long it was, and that nothing else gets in.
import { toArrayBuffer } from "bun:ffi";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import {
  AF_UNIX,
  EINTR,
  ENOTSOCK,
  IS_LINUX,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_TRUNC,
  SCM_CREDENTIALS,
  SOCK_DGRAM,
  SOL_SOCKET,
} from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { UCRED_CMSG_LEN, UCRED_CMSG_SPACE } from "../../ffi/layout.ts";
import {
  CONTROL_LENGTH,
  CONTROL_LEVEL,
  CONTROL_PID,
  CONTROL_STRIDE,
  CONTROL_TYPE,
  HEADER_CONTROLLEN,
  HEADER_FLAGS,
  HEADER_LENGTH,
  HEADER_STRIDE,
  ReceiveBatch,
  type ReceiveMany,
  WIDE_CONTROL_STRIDE,
} from "../../ffi/receive_batch.ts";
import { errnoAddress, libcLinux } from "../../ffi/libc.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { BoundReceiver, type Received } from "../client/bound_receiver.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

const UNIX_BATCH = { iovBytes: 33, stride: 64, credentials: true };

/** Sends one 32-byte datagram per argument, with that many descriptors attached; prints its pid. */
const SEND_DESCRIPTORS = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
for count in map(int, sys.argv[2:]):
    socket.send_fds(s, [b"x" * 32], [0] * count) if count else s.send(b"x" * 32)
print(os.getpid(), os.geteuid(), os.getegid())
`;

setDefaultTimeout(TEST_MS_MAX);
const python = Bun.which("python3");

describe.skipIf(!IS_LINUX)("ReceiveBatch credentials (Linux)", () => {
  test("are the kernel's word on the sender", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [32]);
    const [received] = receiver.receive();
    expect(received).toMatchObject({
      pid: process.pid,
      uid: process.geteuid!(),
      gid: process.getegid!(),
    });
  });

  test("lie in the control slot as one SCM_CREDENTIALS message", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [32]);
    const batch = new ReceiveBatch(UNIX_BATCH);
    expect(batch.receive(receiver.fd)).toBe(1);
    const { words, controlWord } = batch;
    expect(words[HEADER_CONTROLLEN]).toBe(UCRED_CMSG_SPACE);
    expect(words[controlWord + CONTROL_LENGTH]).toBe(UCRED_CMSG_LEN);
    expect(words[controlWord + CONTROL_LEVEL]).toBe(SOL_SOCKET);
    expect(words[controlWord + CONTROL_TYPE]).toBe(SCM_CREDENTIALS);
    expect(words[controlWord + CONTROL_PID]).toBe(process.pid);
  });

  test("come again for every slot after reset()", () => {
    using receiver = new BoundReceiver();
    const batch = new ReceiveBatch(UNIX_BATCH);
    for (let round = 0; round < 3; round++) {
      sendSizes(receiver.path, [32, 32, 32]);
      expect(batch.receive(receiver.fd)).toBe(3);
      const pids = [0, 1, 2].map(
        (i) => batch.words[batch.controlWord + i * CONTROL_STRIDE + CONTROL_PID],
      );
      expect(pids).toEqual([process.pid, process.pid, process.pid]);
      batch.words.fill(0, batch.controlWord);
      batch.reset(3);
      expect(batch.words[2 * HEADER_STRIDE + HEADER_CONTROLLEN]).toBe(UCRED_CMSG_SPACE);
    }
  });

  test.skipIf(python === null)(
    "get through with descriptors attached, which never enter this process (needs python3)",
    async () => {
      using receiver = new BoundReceiver();
      const command = [python!, "-c", SEND_DESCRIPTORS, receiver.path, "0", "1", "5", "253", "0"];
      const child = Bun.spawnSync(command);
      const [pid, uid, gid] = child.stdout.toString().trim().split(" ").map(Number);
      const before = openDescriptors();
      const rows = receiver.receive().map(summary);
      expect(openedSince(before)).toEqual([]);
      const sender = { size: 32, pid: pid!, uid: uid!, gid: gid! };
      expect(rows).toEqual([
        { ...sender, flags: 0 },
        { ...sender, flags: MSG_CTRUNC },
        { ...sender, flags: MSG_CTRUNC },
        { ...sender, flags: MSG_CTRUNC },
        { ...sender, flags: 0 },
      ]);
    },
  );
});

describe("ReceiveBatch sizes", () => {
  test("show every wrong length: shorter as it is, longer as 33 and truncated", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [0, 31, 32, 33, 34, 64, 65_507]);
    const rows = receiver.receive().map(({ size, flags }) => [size, flags & MSG_TRUNC]);
    expect(rows).toEqual([
      [0, 0],
      [31, 0],
      [32, 0],
      [33, 0],
      [33, MSG_TRUNC],
      [33, MSG_TRUNC],
      [33, MSG_TRUNC],
    ]);
  });

  test("keep the bytes of each datagram in its own slot", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [3, 33, 1]);
    const contents = receiver.receive().map(({ bytes }) => [...bytes]);
    expect(contents).toEqual([[3, 3, 3], Array.from({ length: 33 }, () => 33), [1]]);
  });

  test("never write past the bytes that were asked for", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [64, 64]);
    const batch = new ReceiveBatch(UNIX_BATCH);
    expect(batch.receive(receiver.fd)).toBe(2);
    const slots = batch.bytes.subarray(batch.dataWord * 4, batch.dataWord * 4 + 128);
    expect([...slots.subarray(33, 64)].every((byte) => byte === 0)).toBe(true);
    expect([...slots.subarray(97, 128)].every((byte) => byte === 0)).toBe(true);
  });
});

describe("ReceiveBatch.receive()", () => {
  test("is 0 when nothing waits and -errno for what is no socket", () => {
    using receiver = new BoundReceiver();
    const batch = new ReceiveBatch(UNIX_BATCH);
    expect(batch.receive(receiver.fd)).toBe(0);
    const file = openSync("/dev/null", "r");
    expect(batch.receive(file)).toBe(-ENOTSOCK);
    closeSync(file);
  });

  test.skipIf(!IS_LINUX)("asks again when a signal came first, as often as it comes", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [32]);
    let interruptions = 3;
    const errno = new Int32Array(toArrayBuffer(errnoAddress, 0, 4));
    const batch = new ReceiveBatch({
      ...UNIX_BATCH,
      receiveMany: (fd, headers, countMax, flags) => {
        if (interruptions === 0) return libcLinux!.recvmmsg(fd, headers, countMax, flags, null);
        interruptions -= 1;
        errno[0] = EINTR;
        return -1;
      },
    });
    expect(batch.receive(receiver.fd)).toBe(1);
    expect(interruptions).toBe(0);
    interruptions = 1;
    expect(batch.receive(receiver.fd)).toBe(0);
  });

  test.skipIf(!IS_LINUX)("never waits, and keeps what comes with a datagram from children", () => {
    const asked: number[] = [];
    const receiveMany = (...[, , , flags]: Parameters<ReceiveMany>) => {
      asked.push(flags);
      return 0;
    };
    new ReceiveBatch({ ...UNIX_BATCH, receiveMany }).receive(0);
    expect(asked).toEqual([MSG_DONTWAIT | MSG_CMSG_CLOEXEC]);
  });

  test.skipIf(!IS_LINUX)("takes no more than it is told to", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [32, 31, 30]);
    const batch = new ReceiveBatch(UNIX_BATCH);
    expect(batch.receive(receiver.fd, 2)).toBe(2);
    batch.reset(2);
    expect(batch.receive(receiver.fd, 2)).toBe(1);
    expect(batch.words[HEADER_LENGTH]).toBe(30);
  });

  test.skipIf(!IS_LINUX)("fills the control slots that it is told to, and back", () => {
    using receiver = new BoundReceiver();
    const batch = new ReceiveBatch(UNIX_BATCH);
    const pids = (at: number, stride: number) =>
      [0, 1].map((i) => batch.words[at + i * stride + CONTROL_PID]);
    for (const isWide of [true, false, true]) {
      batch.setWide(isWide);
      batch.words.fill(0, batch.controlWord);
      sendSizes(receiver.path, [32, 32]);
      expect(batch.receive(receiver.fd)).toBe(2);
      batch.reset(2);
      const narrow = pids(batch.controlWord, CONTROL_STRIDE);
      const wide = pids(batch.wideControlWord, WIDE_CONTROL_STRIDE);
      const [filled, left] = isWide ? [wide, narrow] : [narrow, wide];
      expect(filled).toEqual([process.pid, process.pid]);
      expect(left).toEqual([0, 0]);
    }
  });

  test("works without credentials too", () => {
    using receiver = new BoundReceiver();
    sendSizes(receiver.path, [32]);
    const batch = new ReceiveBatch({ iovBytes: 65, stride: 128, credentials: false });
    expect(batch.receive(receiver.fd)).toBe(1);
    expect(batch.words[HEADER_LENGTH]).toBe(32);
    expect(batch.words.length * 4).toBe(5_120 + BATCH_SIZE * 128);
  });

  test("takes at most a batch, and survives garbage collection between batches", () => {
    using receiver = new BoundReceiver();
    const batch = new ReceiveBatch(UNIX_BATCH);
    expect(batch.words.length * 4).toBe(15_360);
    for (let round = 0; round < 5; round++) {
      sendSizes(receiver.path, [32, 32]);
      Bun.gc(true);
      expect(batch.receive(receiver.fd)).toBe(2);
      expect(batch.words[HEADER_FLAGS]! & (MSG_TRUNC | MSG_CTRUNC)).toBe(0);
      batch.reset(2);
    }
  });
});

/** One datagram per size; each byte is the size modulo 256. */
function sendSizes(path: string, sizes: readonly number[]): void {
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");
  check(connect(fd, unixAddress(path)), "connect");
  for (const size of sizes) {
    const bytes = new Uint8Array(new ArrayBuffer(size)).fill(size & 0xff);
    expect(send(fd, bytes)).toBe(size);
  }
  close(fd);
}

function summary({ size, flags, pid, uid, gid }: Received) {
  return { size, flags: flags & (MSG_TRUNC | MSG_CTRUNC), pid, uid, gid };
}
