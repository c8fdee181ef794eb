// The observer as a library: the example of docs/observer.md as it is printed, and the queries that
// the specification lists.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { NS_PER_MS } from "../../src/base/time.ts";
import { connect } from "../../src/client/mod.ts";
import {
  bind,
  fromListener,
  type Observer,
  SocketPathError,
  UdpListener,
} from "../../src/observer/mod.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const ROOT = `${import.meta.dir}/../..`;
const HOUR_NS = 3_600e9;

describe("docs/observer.md", () => {
  test("has an example that prints beats and who fell silent", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("beats.sock");
    const page = readFileSync(`${ROOT}/docs/observer.md`, "utf8");
    const source = /```ts\n(.*?)```/s
      .exec(page)![1]!
      .replace("/run/my-service/beats.sock", path)
      .replace("1e9", "5e8");
    // From inside the package its own name resolves, as in a program that depends on it.
    const child = Bun.spawn([process.execPath, "-e", source], {
      cwd: ROOT,
      stdout: "pipe",
      stderr: "inherit",
    });
    const client = connect(path, { reconnectMs: 0 });
    await until("the example to listen", () => client.beat("ok").kind === "sent");
    client.beat("degraded");
    client.beat("critical");
    expect(await new Response(child.stdout).text()).toBe(
      ["beat P ok", "beat P degraded", "beat P critical", "silent P since nonce 3", ""]
        .join("\n")
        .replaceAll("P", `${process.pid}`),
    );
    expect(await child.exited).toBe(0);
    client.close();
  });
});

describe("bind()", () => {
  test("refuses a threshold before it makes a socket, and a path that is a file", async () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("s");
    expect(() => bind(path, { thresholdNs: 1 })).toThrow(RangeError);
    expect(await Bun.file(path).exists()).toBe(false);
    await Bun.write(path, "mine");
    expect(() => bind(path, { thresholdNs: HOUR_NS })).toThrow(SocketPathError);
    expect(await Bun.file(path).text()).toBe("mine");
  });

  test("gives an observer that answers what it knows of a process, and what it works with", () => {
    using directory = new TemporaryDirectory();
    const observer = bind(directory.at("s"), { thresholdNs: HOUR_NS, rcvbufBytes: 65_536 });
    const { tracker } = observer;
    expect([observer.clockSource, tracker.isEmpty]).toEqual(["monotonic", true]);
    expect(observer.udsRcvbufBytes).toBeGreaterThanOrEqual(65_536);
    expect(observer.drainBindDirFsyncFailures()).toBe(0);
    expect(answers(observer)).toEqual(Array(5).fill(undefined));

    const client = connect(directory.at("s"));
    client.beat("ok");
    client.beat("ok");
    expect([observer.poll(), observer.poll(), observer.poll()].map((event) => event?.kind)).toEqual(
      ["beat", "beat", undefined],
    );
    const [lastNs, origin, inode, generation, nonce] = answers(observer);
    expect(observer.nowNs() - Number(lastNs)).toBeWithin(0, 60e9);
    expect([origin, inode, nonce]).toEqual([0, observer.observerInode, 2n]);
    expect(generation).toBeGreaterThan(0);
    expect(tracker.isEmpty).toBe(false);
    client.close();
    observer.close();
  });
});

describe("fromListener()", () => {
  test("watches what a listener of another kind brings, by the clock that was asked for", () => {
    const listener = new UdpListener({
      name: "lab",
      address: "127.0.0.1",
      port: 0,
      rcvbufBytes: 0,
      acceptRecovery: false,
    });
    const observer = fromListener(listener, {
      thresholdNs: 10 * NS_PER_MS,
      clockSource: "boottime",
    });
    expect([observer.clockSource, observer.udsRcvbufBytes]).toEqual(["boottime", 0]);
    expect(observer.listeners).toEqual([listener]);
    observer.close();
  });

  test("counts a directory that could not be synced at the bind, once", () => {
    const listener = new UdpListener({
      name: "lab",
      address: "127.0.0.1",
      port: 0,
      rcvbufBytes: 0,
      acceptRecovery: false,
    });
    const unsynced = Object.assign(listener, { directorySynced: false });
    const observer = fromListener(unsynced, { thresholdNs: HOUR_NS });
    expect([observer.drainBindDirFsyncFailures(), observer.drainBindDirFsyncFailures()]).toEqual([
      1, 0,
    ]);
    observer.close();
  });
});

function answers({ tracker }: Observer): unknown[] {
  const { pid } = process;
  return [
    tracker.lastNsOf(pid),
    tracker.originOf(pid),
    tracker.pidNsInodeOf(pid),
    tracker.generationOf(pid),
    tracker.lastObservedNonceOf(pid),
  ];
}
