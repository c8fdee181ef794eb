// What a restart costs agents (spec 05 section 9): a hundred that beat ten times a second, a queue
// of 512, and a service manager that keeps the sockets. No send fails, and what was sent counts.
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { AF_UNIX, EAGAIN, ECONNREFUSED, ENOENT, SOCK_DGRAM } from "../../../ffi/constants.ts";
import { check } from "../../../ffi/errno.ts";
import { effectiveUid } from "../../../ffi/process.ts";
import { close, connect, openSocket, send, sendTo, unixAddress } from "../../../ffi/socket.ts";
import { encode } from "../../../src/wire/encode.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { FdKeeper, NO_KEEPER } from "../../support/fd_keeper.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

setDefaultTimeout(60_000);
afterAll(endLeftovers);

const AGENTS = 100;
const BEATS_PER_S = 10;
const BEATS_PER_MS = (AGENTS * BEATS_PER_S) / 1_000;
const QUEUE_LENGTH = 512;
const RESTARTS = 4;
/** RestartSec of the unit, as late as systemd may be on average. */
const AWAY_MS = 145;

/** The length of queues is that of the network namespace in which a socket is made. */
const WITH_QUEUE = [
  ...["unshare", "--net", "sh", "-c"],
  `echo ${QUEUE_LENGTH} >/proc/sys/net/unix/max_dgram_qlen && exec "$@"`,
  "sh",
];

class Fleet {
  sent = 0;
  full = 0;
  refused = 0;
  readonly #fds: number[] = [];
  readonly #timer: Timer;
  #turn = 0;

  constructor(socket: string) {
    for (let i = 0; i < AGENTS; i++) {
      const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
      check(connect(fd, unixAddress(socket)), "connect");
      this.#fds.push(fd);
    }
    // A tenth of them each time, so that they do not beat in step.
    this.#timer = setInterval(() => this.#beatSome(), 1_000 / BEATS_PER_S / 10);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const fd of this.#fds) close(fd);
  }

  #beatSome(): void {
    this.#turn++;
    for (let i = this.#turn % 10; i < AGENTS; i += 10) {
      const nonce = BigInt(this.sent + this.full + this.refused + 1);
      const frame = { status: "ok", pid: process.pid, nonce, payload: 0 } as const;
      const bytes = encode({ ...frame, timestamp: BigInt(Math.round(performance.now() * 1e6)) });
      const result = send(this.#fds[i]!, bytes);
      if (result >= 0) this.sent++;
      else if (result === -EAGAIN) this.full++;
      else this.refused++;
    }
  }
}

const NO_NAMESPACE = effectiveUid() === 0 ? "" : " (needs root)";

test.skipIf(NO_KEEPER !== "" || NO_NAMESPACE !== "")(
  `no send fails over restarts and kill -9, and what was sent counts${NO_KEEPER}${NO_NAMESPACE}`,
  async () => {
    using directory = new TemporaryDirectory();
    using keeper = await FdKeeper.start();
    const start = () =>
      DaemonProcess.start({
        directory: directory.path,
        env: keeper.env,
        as: [...WITH_QUEUE, ...keeper.launcher()],
        args: ["--threshold-ms", "60000"],
      });
    let daemon = await start();
    await keeper.untilKept(2);
    const fleet = new Fleet(directory.at("varta.sock"));
    let received = 0;
    let lostBetween = 0;
    const gapsMs: number[] = [];
    for (let restart = 0; restart < RESTARTS; restart++) {
      await Bun.sleep(300);
      // What the daemon had when it was killed is not known; after SIGTERM it is all there was.
      const isKilled = restart % 2 === 1;
      const before = fleet.sent;
      const { listeners } = await daemon.state();
      const beganMs = performance.now();
      daemon.signal(isKilled ? "SIGKILL" : "SIGTERM");
      await daemon.exited();
      lostBetween += fleet.sent - before;
      received += listeners[0]!.received;
      await daemon[Symbol.asyncDispose]();
      await Bun.sleep(AWAY_MS);
      daemon = await start();
      await daemon.untilReceived(1);
      gapsMs.push(performance.now() - beganMs);
      expect(daemon.saying("listening")[0]!.fields.get("inherited")).toBe("true");
    }
    await Bun.sleep(300);
    fleet.stop();
    const state = await daemon.state();
    received += state.listeners[0]!.received;
    await daemon.stop();
    await daemon[Symbol.asyncDispose]();
    console.log(
      `${fleet.sent} sent, ${fleet.full} full, ${fleet.refused} refused; away for ` +
        gapsMs.map((ms) => `${Math.round(ms)} ms`).join(", "),
    );
    expect(fleet.refused).toBe(0);
    // The queue bears half a second of them. On a machine that is too busy to start a daemon within
    // that time, what comes later finds it full, and nothing else does.
    const unborneMs = gapsMs.map((ms) => Math.max(0, ms - QUEUE_LENGTH / BEATS_PER_MS));
    expect(fleet.full).toBeLessThanOrEqual(BEATS_PER_MS * unborneMs.reduce((a, b) => a + b, 0));
    // Those that came between the last look at a daemon and its end are in no figure.
    expect(received).toBeGreaterThanOrEqual(fleet.sent - lostBetween);
    expect(received).toBeLessThanOrEqual(fleet.sent);
  },
);

test("of a daemon without a service manager the path is never without a socket, through kill -9", async () => {
  using directory = new TemporaryDirectory();
  const socket = directory.at("varta.sock");
  const args = ["--threshold-ms", "60000"];
  let daemon = await DaemonProcess.start({ directory: directory.path, args });
  const fd = check(openSocket(AF_UNIX, SOCK_DGRAM), "open a socket");
  const address = unixAddress(socket);
  const results = new Map<number, number>();
  // Between two pieces of anything else, so that the bind of the next daemon is among them.
  const timer = setInterval(() => {
    for (let i = 0; i < 200; i++) {
      const result = Math.min(0, sendTo(fd, new Uint8Array(1), address));
      results.set(result, (results.get(result) ?? 0) + 1);
    }
  }, 0);
  for (let restart = 0; restart < 2 * RESTARTS; restart++) {
    daemon.signal("SIGKILL");
    await daemon.exited();
    await daemon[Symbol.asyncDispose]();
    daemon = await DaemonProcess.start({ directory: directory.path, args });
  }
  clearInterval(timer);
  close(fd);
  await daemon[Symbol.asyncDispose]();
  expect(results.get(0)).toBeGreaterThan(0);
  expect(results.get(-ECONNREFUSED)).toBeGreaterThan(0);
  expect(results.get(-ENOENT)).toBeUndefined();
  expect([...results.keys()].every((key) => [0, -ECONNREFUSED, -EAGAIN].includes(key))).toBe(true);
});
