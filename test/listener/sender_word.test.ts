// The kernel's own word on who sent a datagram: what it proves, when it is asked for, and that no
// descriptor stays open.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { AF_UNIX, IS_LINUX, SOCK_DGRAM, SO_PASSPIDFD, SO_PASSRIGHTS } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import {
  close,
  getSocketOption,
  openSocket,
  sendTo,
  setSocketOption,
  unixAddress,
} from "../../ffi/socket.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { atLength } from "../support/at_length.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { KERNEL_VOUCHES, NEEDS_WORD } from "../support/kernel_word.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { HAS_PYTHON, HostileSender } from "./hostile_sender.ts";

setDefaultTimeout(TEST_MS_MAX);

const FRAME = new Uint8Array(new ArrayBuffer(32));
/** Datagrams of one receive with pidfds. */
const WIDE = 16;
const open: UnixListener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

class Bed implements Disposable {
  /** Of the clock of start times; set by hand. */
  tick = 1_000;
  readonly directory = new TemporaryDirectory();
  readonly listener: UnixListener;
  readonly #sender = check(openSocket(AF_UNIX, SOCK_DGRAM), "open");

  constructor() {
    this.listener = new UnixListener({
      name: "main",
      path: this.directory.at("v.sock"),
      mode: 0o666,
      gid: undefined,
      rcvbufBytes: 0,
      allowList: undefined,
      nowGeneration: () => this.tick,
    });
    open.push(this.listener);
  }

  send(count: number): void {
    const address = unixAddress(this.listener.path);
    for (let i = 0; i < count; i++) check(sendTo(this.#sender, FRAME, address), "send");
  }

  /** What one receive at `tick` gave: its datagrams, and how many of them have a pidfd. */
  receiveAt(tick: number): [number, number] {
    this.tick = tick;
    const count = check(this.listener.receive(0), "receive");
    return [count, this.listener.batch.pidfd.filter((fd) => fd >= 0).length];
  }

  get asks(): boolean {
    return getSocketOption(this.listener.fd, SO_PASSPIDFD) === 1;
  }

  [Symbol.dispose](): void {
    close(this.#sender);
    this.listener.close();
    this.directory[Symbol.dispose]();
  }
}

describe.skipIf(!KERNEL_VOUCHES)(`the kernel's word on a sender${NEEDS_WORD}`, () => {
  test("is that of the process that lives", () => {
    using bed = new Bed();
    bed.send(2);
    expect(bed.receiveAt(1_000)).toEqual([2, 2]);
    expect([0, 1].map((i) => bed.listener.senderHasPid(i))).toEqual([true, true]);
    expect(bed.listener.batch.receivedGeneration).toBe(1_000);
  });

  test.skipIf(!HAS_PYTHON)("knows that a sender has ended (needs python3)", () => {
    using bed = new Bed();
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(bytes(32), sys.argv[1])`;
    const child = Bun.spawnSync(["python3", "-c", script, bed.listener.path]);
    expect(child.exitCode).toBe(0);
    bed.send(1);
    expect(bed.receiveAt(1_000)).toEqual([2, 2]);
    const { batch } = bed.listener;
    expect(batch.peerPid[0]).toBe(child.pid);
    expect([0, 1].map((i) => bed.listener.senderHasPid(i))).toEqual([false, true]);
  });

  test("is void once the batch was released", () => {
    using bed = new Bed();
    bed.send(1);
    bed.receiveAt(1_000);
    bed.listener.release();
    expect(bed.listener.senderHasPid(0)).toBe(false);
  });
});

describe.skipIf(!KERNEL_VOUCHES)(`it is asked for${NEEDS_WORD}`, () => {
  test("on a quiet socket, and no longer when it has given more than four datagrams in a tick", () => {
    using bed = new Bed();
    bed.send(4);
    expect(bed.receiveAt(1_000)).toEqual([4, 4]);
    bed.send(1);
    expect(bed.receiveAt(1_000)).toEqual([1, 1]);
    bed.send(1);
    expect(bed.receiveAt(1_000)).toEqual([1, 0]);
    expect(bed.asks).toBe(false);
    // The tick before was busy, and then there was a quiet one.
    bed.send(1);
    expect(bed.receiveAt(1_001)).toEqual([1, 0]);
    bed.send(1);
    expect(bed.receiveAt(1_002)).toEqual([1, 1]);
    bed.send(5);
    expect(bed.receiveAt(1_003)).toEqual([5, 5]);
    bed.send(1);
    expect(bed.receiveAt(1_005)).toEqual([1, 1]);
  });

  test("sixteen at a time, and a receive of sixteen is no sign that the socket was empty", () => {
    using bed = new Bed();
    if ((bed.listener.queueLength ?? 11) < 2 * WIDE) return;
    bed.send(WIDE + 2);
    expect(bed.receiveAt(1_010)).toEqual([WIDE, WIDE]);
    expect(bed.listener.batch.countMax).toBe(WIDE);
    expect(bed.receiveAt(1_020)).toEqual([2, 2]);
    expect(bed.listener.batch.sentAfterGeneration).toBe(1_000);
    bed.send(1);
    bed.receiveAt(1_030);
    expect(bed.listener.batch.sentAfterGeneration).toBe(1_020);
  });

  test("in a crowd, while a sender is in doubt and the socket is never seen empty", () => {
    using bed = new Bed();
    if ((bed.listener.queueLength ?? 11) < 3 * BATCH_SIZE) return;
    const crowd = (tick: number) => {
      bed.send(BATCH_SIZE + 1);
      const [count, pidfds] = bed.receiveAt(tick);
      while (bed.receiveAt(tick)[0] === BATCH_SIZE);
      return [count, pidfds];
    };
    // Never less than a full batch is taken, so that the listener sees no empty socket.
    bed.send(2 * BATCH_SIZE);
    for (let tick = 1_000; tick <= 1_011; tick++) {
      bed.receiveAt(tick);
      bed.listener.doubtSender();
      bed.send(BATCH_SIZE);
    }
    expect(bed.asks).toBe(true);
    expect(bed.receiveAt(1_012)[1]).toBe(WIDE);
    // Drained, the clock alone can prove again.
    while (bed.receiveAt(1_013)[0] > 0);
    expect(crowd(1_014)[1]).toBe(0);
    expect(bed.asks).toBe(false);
  });
});

const DATAGRAMS = atLength(20_000, 100_000);

describe.skipIf(!KERNEL_VOUCHES)(`no descriptor stays behind${NEEDS_WORD}`, () => {
  test(`of ${DATAGRAMS} datagrams`, () => {
    using bed = new Bed();
    const before = openDescriptors();
    const perRound = Math.min(WIDE, bed.listener.queueLength ?? 10);
    let pidfds = 0;
    for (let sent = 0, tick = 1_000; sent < DATAGRAMS; sent += perRound, tick += 2) {
      bed.send(perRound);
      pidfds += bed.receiveAt(tick)[1];
    }
    expect(pidfds).toBeGreaterThanOrEqual(DATAGRAMS);
    bed.listener.release();
    expect(openedSince(before)).toEqual([]);
  });

  test("of a listener that is closed with a batch in hand", () => {
    const bed = new Bed();
    const before = openDescriptors();
    bed.send(3);
    bed.receiveAt(1_000);
    expect(openedSince(before)).toHaveLength(3);
    bed.listener.close();
    expect(openedSince(before)).toEqual([]);
    bed[Symbol.dispose]();
  });

  test.skipIf(!HAS_PYTHON)("of datagrams of a wrong size (needs python3)", async () => {
    using bed = new Bed();
    await using sender = new HostileSender();
    const before = openDescriptors();
    sender.send({ path: bed.listener.path, count: 9, sizeBytes: 33 });
    for (let taken = 0, tick = 1_000; taken < 9; tick += 2) taken += bed.receiveAt(tick)[0];
    bed.listener.release();
    expect(openedSince(before)).toEqual([]);
  });

  test.skipIf(!HAS_PYTHON)(
    "of a sender that attaches its own: the kernel refuses it (needs python3)",
    async () => {
      using bed = new Bed();
      const script = `import array, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]).tobytes())]
try: s.sendmsg([bytes(32)], rights, 0, sys.argv[1])
except OSError as error: print(error.strerror)`;
      const child = Bun.spawnSync(["python3", "-c", script, bed.listener.path]);
      expect(child.stdout.toString()).toBe("Operation not permitted\n");
      expect(bed.receiveAt(1_000)).toEqual([0, 0]);
    },
  );

  test.skipIf(!HAS_PYTHON)(
    "of a sender that attaches its own, should the kernel let it (needs python3)",
    async () => {
      using bed = new Bed();
      check(setSocketOption(bed.listener.fd, SO_PASSRIGHTS, 1), "SO_PASSRIGHTS");
      await using sender = new HostileSender();
      sender.send({ path: bed.listener.path, count: 1, sizeBytes: 32 });
      for (let tick = 1_000; bed.receiveAt(tick)[0] === 0; tick += 2);
      bed.listener.release();
      const before = openDescriptors();
      const count = 300;
      for (const descriptors of [1, 2, 8])
        sender.send({ path: bed.listener.path, count: count / 3, sizeBytes: 32, descriptors });
      let passed = 0;
      for (let taken = 0, tick = 2_000; taken < count; tick += 2) {
        const [received] = bed.receiveAt(tick);
        taken += received;
        const { verdict } = bed.listener.batch;
        passed += verdict.subarray(0, received).filter((one) => one === VERDICT_PASS).length;
      }
      bed.listener.release();
      expect(openedSince(before)).toEqual([]);
      // One descriptor leaves room for no pidfd, which the kernel says: none of them passes for a
      // plain datagram.
      expect(passed).toBe(0);
    },
  );
});

/** What a listener that lacks something prints (limited_listener.ts). */
function limited(what: string, through: readonly string[] = []) {
  using directory = new TemporaryDirectory();
  const script = join(import.meta.dir, "limited_listener.ts");
  const argv = [...through, process.execPath, script, what, directory.at("v.sock")];
  const child = Bun.spawnSync(argv, { stdout: "pipe", stderr: "pipe" });
  expect(child.stderr.toString()).toBe("");
  return JSON.parse(child.stdout.toString()) as unknown;
}

describe.skipIf(!IS_LINUX)("a listener to which the kernel refuses", () => {
  test("credentials is not bound: its datagrams would name no process", () => {
    expect(limited("credentials")).toEqual({
      message: "cannot ask for credentials (SO_PASSCRED): EPERM (operation not permitted)",
      bound: false,
    });
  });

  test.each(["rights", "pidfd"])("its %s option takes beats as ever, and asks nothing", (what) => {
    expect(limited(what)).toEqual({ received: 3, named: true, pidfds: 0, asks: false });
  });
});

const PRLIMIT = ["prlimit", "--nofile=64"];

describe.skipIf(!KERNEL_VOUCHES || Bun.which("prlimit") === null)(
  `a process that may open no more${NEEDS_WORD}`,
  () => {
    test.each([
      ["none", 0],
      ["one", 1],
    ])(
      "descriptors (%s left) takes beats as ever, gives all back, and asks again later",
      (what, left) => {
        const plain = { received: 3, named: true, pidfds: 0 };
        const found = limited(what, PRLIMIT) as Record<string, unknown>;
        expect(found["first"]).toEqual({ ...plain, pidfds: 3, asks: true });
        expect(found["scarce"]).toEqual({ ...plain, asks: true });
        expect(found["behind"]).toEqual({ ...plain, asks: false });
        expect(found["again"]).toMatchObject({
          received: 1,
          named: true,
          pidfds: left,
          asks: true,
        });
        expect(found["free"]).toBe(left);
      },
    );
  },
);
