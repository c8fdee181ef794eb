import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { Notify } from "../../src/daemon/notify.ts";
import { ServiceManager } from "./service_manager.ts";

const PID = process.pid;

let manager: ServiceManager;
let state: { judgePoints: number; agents: number; stalled: number; beats: number };
let complaints: string[];
const openedHere: Notify[] = [];

beforeEach(() => {
  manager = new ServiceManager();
  state = { judgePoints: 0, agents: 0, stalled: 0, beats: 0 };
  complaints = [];
});

afterEach(() => {
  for (const notify of openedHere.splice(0)) notify.stopping();
  manager[Symbol.dispose]();
});

function open(env: Record<string, string> = {}): Notify | undefined {
  const notify = Notify.open({
    env,
    pid: PID,
    state: {
      judgePoints: () => state.judgePoints,
      agents: () => state.agents,
      stalled: () => state.stalled,
      beats: () => state.beats,
    },
    unusable: (reason) => complaints.push(reason),
  });
  if (notify !== undefined) openedHere.push(notify);
  return notify;
}

function opened(env: Record<string, string> = {}): Notify {
  return open({ NOTIFY_SOCKET: manager.name, ...env })!;
}

/** A turn that judged. */
function turn(notify: Notify, nowMs: number): string[] {
  state.judgePoints++;
  notify.maintain(nowMs * NS_PER_MS);
  return manager.read();
}

describe("Notify.open()", () => {
  test("is undefined and silent without NOTIFY_SOCKET", () => {
    expect(open()).toBeUndefined();
    expect(open({ WATCHDOG_USEC: "0" })).toBeUndefined();
    expect(open({ WATCHDOG_USEC: "1000000", WATCHDOG_PID: String(PID + 1) })).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  test("complains about a watchdog without a socket, as it would bark for ever", () => {
    expect(open({ WATCHDOG_USEC: "1000000" })).toBeUndefined();
    expect(complaints).toEqual(["WATCHDOG_USEC is set, NOTIFY_SOCKET is not"]);
  });

  test("complains about a name that is no address", () => {
    for (const name of [
      "",
      "@",
      "/",
      "notify",
      "vsock:2:1",
      `/${"x".repeat(107)}`,
      `@${"é".repeat(54)}`,
    ])
      expect(open({ NOTIFY_SOCKET: name })).toBeUndefined();
    const complaint = "NOTIFY_SOCKET is not a path or @name of at most 107 bytes";
    expect(complaints).toEqual(Array(7).fill(complaint));
  });

  test("complains about a socket that no process listens at", () => {
    expect(open({ NOTIFY_SOCKET: `${manager.name}.gone` })).toBeUndefined();
    expect(complaints).toEqual([
      `NOTIFY_SOCKET ${manager.name}.gone: ENOENT (no such file or directory)`,
    ]);
  });

  test("takes a name of 107 bytes", () => {
    const name = `@${"n".repeat(106)}`;
    expect(open({ NOTIFY_SOCKET: name })).toBeUndefined();
    expect(complaints).toEqual([`NOTIFY_SOCKET ${name}: ECONNREFUSED (connection refused)`]);
  });

  test("halves the interval of the watchdog", () => {
    const interval = (env: Record<string, string>) => opened(env).petEveryNs;
    expect(interval({ WATCHDOG_USEC: "30000000" })).toBe(15 * NS_PER_S);
    expect(interval({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(PID) })).toBe(15 * NS_PER_S);
    expect(interval({ WATCHDOG_USEC: "1" })).toBe(500);
  });

  test("has no watchdog if it is off, meant for another process or nonsense", () => {
    for (const text of ["", "0", "-1", "1.5", "30s", "0x10", " 5", "9".repeat(17)])
      expect(opened({ WATCHDOG_USEC: text }).petEveryNs).toBeUndefined();
    const other = { WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(PID + 1) };
    expect(opened(other).petEveryNs).toBeUndefined();
    expect(opened().petEveryNs).toBeUndefined();
  });
});

describe("Notify", () => {
  test("speaks to an abstract name as to a path, under its own pid", () => {
    using abstract = new ServiceManager("abstract");
    const notify = open({ NOTIFY_SOCKET: abstract.name })!;
    notify.ready(0);
    expect(abstract.read()).toEqual(["READY=1\nSTATUS=0 agents, 0 stalled, 0 beats/s\n"]);
    expect(abstract.messages[0]!.pid).toBe(PID);
  });

  test("says READY once, then a changed status every ten seconds at most", () => {
    const notify = opened();
    notify.ready(0);
    expect(manager.read()).toEqual(["READY=1\nSTATUS=0 agents, 0 stalled, 0 beats/s\n"]);
    Object.assign(state, { agents: 3, stalled: 1, beats: 250 });
    expect(turn(notify, 9_999)).toEqual([]);
    expect(turn(notify, 10_000)).toEqual(["STATUS=3 agents, 1 stalled, 25 beats/s\n"]);
    expect(turn(notify, 10_001)).toEqual([]);
    state.beats += 250;
    expect(turn(notify, 20_000)).toEqual([]);
    expect(turn(notify, 40_000)).toEqual(["STATUS=3 agents, 1 stalled, 0 beats/s\n"]);
  });

  test("wants no turn of its own without a watchdog", () => {
    const notify = opened();
    notify.ready(0);
    turn(notify, 0);
    expect(notify.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("pets the watchdog at half its interval, and the wait ends in time for it", () => {
    const notify = opened({ WATCHDOG_USEC: "2000000" });
    expect(turn(notify, 100)).toEqual(["WATCHDOG=1\n"]);
    expect(notify.nextDeadlineNs()).toBe(1_100 * NS_PER_MS);
    expect(turn(notify, 1_099)).toEqual([]);
    expect(turn(notify, 1_100)).toEqual(["WATCHDOG=1\n"]);
    expect(turn(notify, 1_101)).toEqual([]);
  });

  test("gives no pet for turns that did not judge, and does not spin meanwhile", () => {
    const notify = opened({ WATCHDOG_USEC: "2000000" });
    turn(notify, 0);
    for (let nowMs = 1_000; nowMs < 5_000; nowMs += 100) {
      notify.maintain(nowMs * NS_PER_MS);
      expect(notify.nextDeadlineNs()).toBeGreaterThan(nowMs * NS_PER_MS);
    }
    expect(manager.read()).toEqual([]);
    expect(turn(notify, 5_000)).toEqual(["WATCHDOG=1\n"]);
  });

  test("pets in the first turn that judged after a suspend that its clock counted", () => {
    const notify = opened({ WATCHDOG_USEC: "2000000" });
    turn(notify, 0);
    const resumedMs = 8 * 3_600_000;
    expect(notify.nextDeadlineNs()).toBeLessThan(resumedMs * NS_PER_MS);
    expect(turn(notify, resumedMs)[0]).toBe("WATCHDOG=1\n");
    expect(notify.nextDeadlineNs()).toBe((resumedMs + 1_000) * NS_PER_MS);
  });

  test("goes on petting while a reload is under way, and after it", () => {
    const notify = opened({ WATCHDOG_USEC: "2000000" });
    turn(notify, 0);
    notify.reloading(1);
    expect(turn(notify, 1_000)).toContain("WATCHDOG=1\n");
    notify.reloaded(1_500 * NS_PER_MS, undefined);
    manager.read();
    expect(turn(notify, 1_999)).toEqual([]);
    expect(turn(notify, 2_000)).toEqual(["WATCHDOG=1\n"]);
  });

  test("says READY again and pets again when the queue of the service manager was full", () => {
    const notify = opened({ WATCHDOG_USEC: "2000000" });
    manager.fillQueue();
    notify.ready(0);
    state.judgePoints++;
    notify.maintain(0);
    expect(notify.nextDeadlineNs()).toBe(50 * NS_PER_MS);
    expect(new Set(manager.read())).toEqual(new Set(["FILLER=1\n"]));
    expect(turn(notify, 49)).toEqual([]);
    expect(turn(notify, 50)).toEqual([
      "READY=1\nSTATUS=0 agents, 0 stalled, 0 beats/s\n",
      "WATCHDOG=1\n",
    ]);
    expect(notify.nextDeadlineNs()).toBe(1_050 * NS_PER_MS);
  });

  test("a READY that is owed wants a turn also without a watchdog", () => {
    const notify = opened();
    manager.fillQueue();
    notify.ready(0);
    expect(notify.nextDeadlineNs()).toBe(0);
    manager.read();
    expect(turn(notify, 0)).toEqual(["READY=1\nSTATUS=0 agents, 0 stalled, 0 beats/s\n"]);
    expect(notify.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("STOPPING is the last message, whatever is still called", () => {
    const notify = opened({ WATCHDOG_USEC: "2000000" });
    notify.stopping();
    notify.stopping();
    notify.ready(0);
    state.agents = 1;
    expect(turn(notify, 60_000)).toEqual(["STOPPING=1\n"]);
  });
});

describe("Notify and a reload", () => {
  test("says when it begins in one message, and READY=1 when it is over", () => {
    const notify = opened();
    notify.ready(0);
    manager.read();
    notify.reloading(1_234);
    expect(manager.read()).toEqual(["RELOADING=1\nMONOTONIC_USEC=1234\n"]);
    notify.reloaded(NS_PER_S, undefined);
    expect(manager.read()[0]).toStartWith("READY=1\nSTATUS=0 agents");
  });

  test("has in its status why the last one failed, until one goes well", () => {
    const notify = opened();
    notify.ready(0);
    notify.reloaded(NS_PER_S, "reload failed: /etc/varta/varta.toml:31:13");
    expect(manager.read().at(-1)).toBe(
      "READY=1\nSTATUS=reload failed: /etc/varta/varta.toml:31:13; 0 agents, 0 stalled, 0 beats/s\n",
    );
    notify.reloaded(2 * NS_PER_S, undefined);
    expect(manager.read()).toEqual(["READY=1\nSTATUS=0 agents, 0 stalled, 0 beats/s\n"]);
  });
});
