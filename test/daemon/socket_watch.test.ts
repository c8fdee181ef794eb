// The watch over socket files with real sockets at real paths and injected time: what is done about
// a lost one, what is said and counted, and that the living socket of another program is left
// alone.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { SOCK_DGRAM } from "../../ffi/constants.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { Log } from "../../src/daemon/log.ts";
import { SocketWatch } from "../../src/daemon/socket_watch.ts";
import { UnixListener } from "../../src/listener/unix.ts";
import { makeMetrics, renderPage } from "../metrics/fixture.ts";
import { Sender } from "../support/sender.ts";
import { leaveStale } from "../support/stale_socket.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const THRESHOLD_NS = NS_PER_S;
/** Ten thresholds are less than a minute. */
const QUIET_NS_MAX = 60 * NS_PER_S;

const subjects: Subject[] = [];
afterEach(() => {
  for (const subject of subjects.splice(0)) subject[Symbol.dispose]();
});

class Subject implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly directory = this.#directory.at("run");
  readonly path = `${this.directory}/varta.sock`;
  readonly lines: string[] = [];
  readonly metrics = makeMetrics().metrics;
  readonly listener: UnixListener;
  readonly watch: SocketWatch;
  readonly #others: UnixListener[] = [];
  nowNs = 0;

  constructor(makesDirectory = false) {
    subjects.push(this);
    mkdirSync(this.directory);
    this.listener = listen(this.path);
    this.watch = new SocketWatch({
      sockets: () => [this.listener],
      log: new Log({
        level: "debug",
        format: "logfmt",
        write: (line) => this.lines.push(line.replaceAll(this.directory, "RUN").trimEnd()),
        wallMs: () => 0,
        monotonicNs: () => this.nowNs,
        journal: true,
        sessionId: "0",
      }),
      metrics: this.metrics,
      thresholdNs: THRESHOLD_NS,
      makeDirectory: () => {
        if (makesDirectory) mkdirSync(this.directory, { recursive: true });
      },
    });
    this.look();
  }

  /** Another daemon binds the path. */
  other(): UnixListener {
    const other = listen(this.path);
    this.#others.push(other);
    return other;
  }

  /** A second passes, and the watch looks. */
  look(seconds = 1): void {
    this.nowNs += seconds * NS_PER_S;
    this.watch.maintain(this.nowNs);
  }

  /** Lines since the last call. */
  said(): string[] {
    return this.lines.splice(0);
  }

  get page(): string[] {
    return renderPage(this.metrics)
      .split("\n")
      .filter((line) => line.startsWith("varta_socket_file"));
  }

  [Symbol.dispose](): void {
    this.listener.close();
    for (const other of this.#others) other.close();
    this.#directory[Symbol.dispose]();
  }
}

function listen(path: string): UnixListener {
  const options = { name: "main", mode: 0o600, gid: undefined, rcvbufBytes: 0 };
  return new UnixListener({ ...options, path, allowList: undefined });
}

const LOST = '<4>level=warn msg="socket file lost" socket=main path=RUN/varta.sock';
const ANEW = '<6>level=info msg="socket bound again" socket=main path=RUN/varta.sock';
const FAILED = '<3>level=error msg="socket bind failed, retrying"';

describe("SocketWatch", () => {
  test("says and does nothing while the socket is in its place", () => {
    const subject = new Subject();
    const { ino } = lstatSync(subject.path);
    subject.look();
    expect(subject.said()).toEqual([]);
    expect(subject.watch.allInPlace).toBe(true);
    expect(lstatSync(subject.path).ino).toBe(ino);
    expect(subject.page).toEqual([
      "varta_socket_file_lost_total 0",
      "varta_socket_files_missing 0",
    ]);
  });

  test("looks once a second, and only if there is a socket", () => {
    const subject = new Subject();
    expect(subject.watch.nextDeadlineNs()).toBe(subject.nowNs + NS_PER_S);
    unlinkSync(subject.path);
    subject.watch.maintain(subject.nowNs + NS_PER_S - 1);
    expect(subject.said()).toEqual([]);
    const { metrics } = subject;
    const log = new Log({
      ...{ level: "info", format: "logfmt", write: () => {}, wallMs: () => 0 },
      ...{ monotonicNs: () => 0, journal: true, sessionId: "0" },
    });
    const options = { sockets: () => [], log, metrics, thresholdNs: 1, makeDirectory: () => {} };
    expect(new SocketWatch(options).nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("binds a removed socket again, with its mode, says so and counts it", async () => {
    const subject = new Subject();
    unlinkSync(subject.path);
    subject.look();
    expect(subject.said()).toEqual([LOST, ANEW]);
    expect(lstatSync(subject.path).mode & 0o777).toBe(0o600);
    expect(subject.watch.allInPlace).toBe(true);
    expect(subject.page).toEqual([
      "varta_socket_file_lost_total 1",
      "varta_socket_files_missing 0",
    ]);
    using sender = new Sender(subject.path);
    await sender.beat();
    expect(subject.listener.receive(0)).toBe(1);
  });

  test("takes the place of a dead socket that was left there", () => {
    const subject = new Subject();
    unlinkSync(subject.path);
    leaveStale(subject.path, SOCK_DGRAM);
    subject.look();
    expect(subject.said()).toEqual([LOST, ANEW]);
  });

  test("never takes a living one: says by whom it is lost once a minute, and is back when that ends", () => {
    const subject = new Subject();
    unlinkSync(subject.path);
    const other = subject.other();
    for (let second = 0; second < 60; second++) subject.look();
    expect(other.isInPlace()).toBe(true);
    expect(subject.watch.allInPlace).toBe(false);
    expect(subject.page[1]).toBe("varta_socket_files_missing 1");
    const [lost, failed, ...more] = subject.said();
    expect(lost).toBe(LOST);
    expect(failed).toStartWith(FAILED);
    expect(failed).toContain("another varta-watch is already running at RUN/varta.sock");
    expect(failed).toContain("stop it first");
    expect(more).toEqual([]);
    subject.look();
    expect(subject.said()).toEqual([failed!]);
    other.close();
    subject.look();
    expect(subject.said()).toEqual([ANEW]);
    expect(subject.watch.allInPlace).toBe(true);
    expect(subject.page).toEqual([
      "varta_socket_file_lost_total 1",
      "varta_socket_files_missing 0",
    ]);
  });

  test("leaves a file that is no socket as it is", () => {
    const subject = new Subject();
    unlinkSync(subject.path);
    writeFileSync(subject.path, "precious");
    subject.look();
    expect(subject.said()[1]).toContain("the file there is not a socket, and it was not touched");
    expect(subject.watch.allInPlace).toBe(false);
  });

  test("tries on without the directory, and makes it where it is the daemon's own to make", () => {
    for (const makesDirectory of [false, true]) {
      const subject = new Subject(makesDirectory);
      rmSync(subject.directory, { recursive: true });
      subject.look();
      expect(subject.watch.allInPlace).toBe(makesDirectory);
      if (makesDirectory) continue;
      expect(subject.said()[1]).toContain("does not exist");
      mkdirSync(subject.directory);
      subject.look();
      expect(subject.said()).toEqual([ANEW]);
    }
  });

  test("is content when the file itself comes back", () => {
    const subject = new Subject();
    renameSync(subject.path, `${subject.path}.away`);
    mkdirSync(subject.path);
    subject.look();
    expect(subject.watch.allInPlace).toBe(false);
    rmdirSync(subject.path);
    renameSync(`${subject.path}.away`, subject.path);
    subject.look();
    expect(subject.watch.allInPlace).toBe(true);
    expect(subject.said().at(-1)).toBe(ANEW.replace("socket bound again", "socket file is back"));
  });

  test("keeps the old socket while datagrams come by it, and a minute longer", async () => {
    const subject = new Subject();
    const { listener } = subject;
    using connected = new Sender(subject.path);
    connected.connect();
    unlinkSync(subject.path);
    subject.look();
    for (let beats = 0; beats < 3; beats++) {
      await connected.beat();
      expect(listener.receive(subject.nowNs)).toBe(1);
      subject.look(QUIET_NS_MAX / NS_PER_S);
      expect(listener.formerFd).toBeGreaterThan(0);
    }
    subject.look();
    expect(listener.formerFd).toBe(-1);
    await expect(connected.beat()).rejects.toThrow("ECONNREFUSED");
  });
});
