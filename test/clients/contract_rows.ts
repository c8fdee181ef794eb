// The contract of every client library (spec 21 section 3): one table, run over each language and
// each door that it has, at the real daemon. contract.test.ts runs a little of it, and
// end_to_end/slow/clients.slow.ts all of it.
import { expect } from "bun:test";
import type { LogLine } from "../support/log_lines.ts";
import { until } from "../support/until.ts";
import type { DaemonDoor } from "./daemon_door.ts";
import { type DoorKind, Driver, type Language } from "./driver.ts";

/** More beats to a full queue, of which the machine may hold up some. */
const MORE = 20;
/** Of an agent: longer than a client waits between two attempts to connect. */
const INTERVAL_MS = 160;
const NONCE_TERMINAL = 2n ** 64n - 1n;

export interface Row {
  readonly promise: string;
  /** Only where a program can fork. */
  readonly forks?: boolean;
  /** Only where threads share a client. */
  readonly threads?: boolean;
  /** The daemon is stopped, ended or flooded: the row has one of its own. */
  readonly ownDaemon?: boolean;
  /** Doors where it has a meaning; without it all. */
  readonly at?: readonly DoorKind[];
  /** Only where the end of a block may close a client. */
  readonly blocks?: boolean;
  readonly run: (at: At) => Promise<void>;
}

export interface At {
  readonly language: Language;
  readonly kind: DoorKind;
  readonly door: DaemonDoor;
  /** Its client is open. */
  readonly driver: Driver;
}

const LOCAL: readonly DoorKind[] = ["unix", "unix-stream"];
const NETWORK: readonly DoorKind[] = ["udp", "key", "master"];

export const ROWS: readonly Row[] = [
  {
    promise: "status, payload, pid and nonces from 1 arrive",
    async run({ door, driver, kind }) {
      expect(await beat(driver)).toBe("sent");
      expect(await driver.do("beat degraded 4294967295")).toBe("sent");
      expect(await driver.do("beat critical 7")).toBe("sent");
      await door.untilBeats(driver.pid, 3);
      const listener = { unix: "unix-0", "unix-stream": "unix-stream-0", udp: "lab" };
      const of = { pid: driver.pid, listener: { ...listener, key: "edge", master: "edge" }[kind] };
      expect(door.beatsOf(driver.pid)).toEqual([
        { ...of, status: "ok", nonce: 1n, payload: 0 },
        { ...of, status: "degraded", nonce: 2n, payload: 4_294_967_295 },
        { ...of, status: "critical", nonce: 3n, payload: 7 },
      ]);
    },
  },
  {
    promise: "a wrong status is failed, and uses no nonce",
    async run({ door, driver }) {
      await beat(driver);
      expect(await driver.do("beat stall 0")).toBe("failed bad_status");
      await beat(driver);
      await door.untilBeats(driver.pid, 2);
      expect(door.noncesOf(driver.pid)).toEqual([1n, 2n]);
    },
  },
  {
    promise: "the variables of the environment name the door when nothing else does",
    at: LOCAL,
    async run({ kind, language, door }) {
      const name = kind === "unix-stream" ? "VARTA_STREAM" : "VARTA_SOCKET";
      const env = { VARTA_STREAM: "", [name]: door.path(kind as "unix" | "unix-stream") };
      await using driver = new Driver(language, env);
      await driver.do("default");
      expect(await beat(driver)).toBe("sent");
      await door.untilBeats(driver.pid, 1);
    },
  },
  {
    promise: "a crash beat is taken after every beat before, with the terminal nonce",
    async run({ door, driver }) {
      await beat(driver);
      expect(await driver.do("crash 9")).toBe("sent");
      expect(await driver.do("crash 9")).toBe("sent");
      expect(await beat(driver)).toBe("sent");
      await door.untilBeats(driver.pid, 4);
      expect(door.noncesOf(driver.pid)).toEqual([1n, NONCE_TERMINAL, NONCE_TERMINAL, 2n]);
    },
  },
  {
    promise: "a process that dies of its own error says so, and dies as without it",
    async run({ door, driver, language }) {
      await beat(driver);
      expect(await driver.doAndDie("die")).toBe(language.death);
      await door.untilBeats(driver.pid, 2);
      expect(door.noncesOf(driver.pid)).toEqual([1n, NONCE_TERMINAL]);
    },
  },
  {
    promise: "a forked child has nonces and a connection of its own, and its parent goes on",
    forks: true,
    async run({ door, driver }) {
      await beat(driver);
      const [child, outcomes] = (await driver.do("fork 2")).split(" ");
      expect(outcomes).toBe("sent,sent");
      await door.untilBeats(Number(child), 2);
      await beat(driver);
      await door.untilBeats(driver.pid, 2);
      expect(door.noncesOf(Number(child))).toEqual([1n, 2n]);
      expect(door.noncesOf(driver.pid)).toEqual([1n, 2n]);
    },
  },
  {
    promise: "a child forked while another thread is inside beat() beats all the same",
    forks: true,
    async run({ driver }) {
      await beat(driver);
      expect(await driver.do("fork-while-beating 10")).toBe("sent");
    },
  },
  {
    promise: "threads share the numbering: no nonce twice, none left out",
    threads: true,
    // They fill its queue.
    ownDaemon: true,
    at: LOCAL,
    async run({ door, driver }) {
      const count = Number(await driver.do("threads 4 200"));
      expect(count).toBeGreaterThan(4);
      await door.untilBeats(driver.pid, count);
      const nonces = door.noncesOf(driver.pid);
      expect(nonces).toEqual(Array.from({ length: count }, (_, at) => BigInt(at + 1)));
    },
  },
  {
    promise: "after close() beats are dropped, and the connection ended whole",
    async run({ door, driver, kind }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      const before = kind === "unix-stream" ? await door.closedStreams("by_client") : 0;
      await driver.do("close");
      expect(await driver.do("beat ok 0")).toBe("dropped closed");
      if (kind !== "unix-stream") return;
      const isClosed = async () => (await door.closedStreams("by_client")) > before;
      await until("the end of the connection", isClosed);
      expect(await door.closedStreams("half_frame")).toBe(0);
    },
  },
  {
    promise: "a name is said ahead of the first beat, and uses a number",
    at: LOCAL,
    async run({ language, kind, door }) {
      await using driver = await called("web-7", { language, kind, door });
      expect(await beat(driver)).toBe("sent");
      await door.untilBeats(driver.pid, 1);
      expect(door.noncesOf(driver.pid)).toEqual([2n]);
      expect(await agentIn(door, "member came", driver.pid)).toBe("web-7");
    },
  },
  {
    promise: "a name arrives over the network, and again in a new session of the same pid",
    at: NETWORK,
    async run({ driver, door, kind }) {
      // No other row has them: a name belongs to a user, and to whoever comes by the network.
      for (const name of [`first-${driver.pid}`, `second-${driver.pid}`]) {
        await driver.do(`called ${name} 1000`);
        await driver.do(door.at(kind));
        expect(await beat(driver)).toBe("sent");
        // A hello that a runtime did not take at once is said with the beat after.
        expect(await beat(driver)).toBe("sent");
        await untilCalled(door, name);
        await driver.do("goodbye");
        await untilGone(door, driver.pid, name);
      }
    },
  },
  {
    promise: "a name is said again to a daemon that was started in the place of another",
    ownDaemon: true,
    async run({ language, kind, door }) {
      await using driver = await called("web-7", { language, kind, door });
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await door.kill();
      await until("the end to be told", async () => (await beat(driver)) === "dropped no_observer");
      await door.open();
      await untilSent(driver);
      await beat(driver);
      await untilCalled(door, "web-7");
      await driver.do("goodbye");
      if (LOCAL.includes(kind)) await driver.doAndDie("exit 0");
      await untilGone(door, driver.pid, "web-7");
    },
  },
  {
    promise: "bye is said: the end is clean, whatever its status",
    async run({ door, driver, kind }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await driver.do("goodbye");
      if (LOCAL.includes(kind)) await driver.doAndDie("exit 3");
      const [line] = await untilGone(door, driver.pid);
      expect(line!.fields.get("reason")).toBe("goodbye");
    },
  },
  {
    promise: "exit(1) without a bye is no clean end",
    at: LOCAL,
    async run({ door, driver }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await driver.doAndDie("exit 1");
      await untilEnded(door, driver.pid);
    },
  },
  {
    promise: "a block that fails closes its client, and says no bye",
    blocks: true,
    at: LOCAL,
    async run({ door, driver }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await driver.do("fail-in-block");
      expect(await driver.do("beat ok 0")).toBe("dropped closed");
      await driver.doAndDie("exit 1");
      await untilEnded(door, driver.pid);
    },
  },
  {
    promise: "an uncaught error says no bye",
    at: LOCAL,
    async run({ door, driver }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await driver.doAndDie("die");
      await untilEnded(door, driver.pid);
    },
  },
  {
    promise: "a forked child that closes says no bye, neither for itself nor for its parent",
    at: LOCAL,
    forks: true,
    async run({ door, driver }) {
      await beat(driver);
      expect(await driver.do("fork-close")).toEndWith(" sent");
      await beat(driver);
      await door.untilBeats(driver.pid, 2);
      await driver.doAndDie("exit 1");
      await untilEnded(door, driver.pid);
    },
  },
  {
    promise: "a door that is not there yet is found by a later beat, which is number 1",
    ownDaemon: true,
    at: LOCAL,
    async run({ language, kind, door }) {
      await door.kill();
      await using driver = new Driver(language);
      await driver.do(door.at(kind));
      expect(await beat(driver)).toBe("dropped no_observer");
      await door.open();
      await untilSent(driver);
      await door.untilBeats(driver.pid, 1);
      expect(door.noncesOf(driver.pid)).toEqual([1n]);
    },
  },
  {
    promise: "a daemon that is killed and started again is found again, without a gap",
    ownDaemon: true,
    async run({ door, driver }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await door.kill();
      // A runtime that connects in its own time may not have seen the end yet, and by UDP a beat
      // learns of it from the one before.
      await until("the end to be told", async () => (await beat(driver)) === "dropped no_observer");
      await door.open();
      await untilSent(driver);
      await beat(driver);
      await until("two more beats", () => door.beatsOf(driver.pid).length >= 3);
      const [first, ...after] = door.noncesOf(driver.pid);
      expect(first).toBe(1n);
      expect(after[1]! - after[0]!).toBe(1n);
    },
  },
  {
    promise: "over a restart of the daemon at most one beat is lost",
    ownDaemon: true,
    async run({ door, driver }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      await door.daemon.stop();
      await door.open();
      const outcomes: string[] = [];
      await until("a beat to be sent", async () => {
        await Bun.sleep(INTERVAL_MS);
        outcomes.push(await driver.do("beat ok 0"));
        return outcomes.at(-1) === "sent";
      });
      expect(outcomes.length - 1).toBeLessThanOrEqual(1);
      await door.untilBeats(driver.pid, 2);
      expect(door.noncesOf(driver.pid)).toEqual([1n, 2n]);
    },
  },
  {
    promise: "a full queue drops beats at once, and loses no nonce and no half frame",
    ownDaemon: true,
    at: LOCAL,
    async run({ door, driver }) {
      await beat(driver);
      await door.untilBeats(driver.pid, 1);
      door.signal("SIGSTOP");
      const [kind, reason, taken, slow] = (await driver.do(`fill ${MORE}`)).split(" ");
      door.signal("SIGCONT");
      expect([kind, reason]).toEqual(["dropped", "queue_full"]);
      expect(Number(slow)).toBeLessThan(MORE / 2);
      await door.untilBeats(driver.pid, 1 + Number(taken));
      await untilSent(driver);
      const count = Number(taken) + 2;
      await door.untilBeats(driver.pid, count);
      const expected = Array.from({ length: count }, (_, at) => BigInt(at + 1));
      expect(door.noncesOf(driver.pid)).toEqual(expected);
    },
  },
];

/** The rows of the table that have a meaning for a language at a door. */
export function rowsOf(language: Language, kind: DoorKind): readonly Row[] {
  return ROWS.filter(
    ({ forks, threads, blocks, at }) =>
      (forks !== true || language.forks) &&
      (threads !== true || language.threads) &&
      (blocks !== true || language.blocks) &&
      (at ?? [kind]).includes(kind),
  );
}

/** Runs a row; the beats that it sent were all accepted, and nothing was refused. */
export async function runRow(row: Row, at: Omit<At, "driver">): Promise<void> {
  await using driver = new Driver(at.language);
  await driver.do(at.door.at(at.kind));
  await row.run({ ...at, driver });
  expect(await at.door.refused()).toBe(0);
}

/**
 * Of a beat; where a runtime connects in its own time, of the first one after that, and where other
 * rows have filled the queue of a daemon, of the first one that finds room.
 */
async function beat(driver: Driver): Promise<string> {
  let outcome = "";
  await until("the connection to be made, or not", async () => {
    outcome = await driver.do("beat ok 0");
    return outcome !== "dropped connecting" && outcome !== "dropped queue_full";
  });
  return outcome;
}

/** A driver whose client has a name to say. */
async function called(name: string, { language, kind, door }: Omit<At, "driver">): Promise<Driver> {
  const driver = new Driver(language);
  await driver.do(`called ${name} 1000`);
  await driver.do(door.at(kind));
  return driver;
}

async function agentIn(door: DaemonDoor, msg: string, pid: number): Promise<string | undefined> {
  await until(`"${msg}" of ${pid}`, () => door.daemon.saying(msg, pid).length > 0);
  return door.daemon.saying(msg, pid)[0]!.fields.get("agent");
}

/** Who says bye before it was looked at goes without a name. */
function untilCalled(door: DaemonDoor, name: string): Promise<void> {
  return until(`a member called ${name}`, async () => {
    const { samples } = await door.daemon.page();
    return [...samples.keys()].some((sample) => sample.includes(`agent="${name}"`));
  });
}

/** A clean end, by name. */
async function untilGone(door: DaemonDoor, pid: number, name?: string): Promise<LogLine[]> {
  const lines = () =>
    door.daemon
      .saying("member gone", pid)
      .filter(({ fields }) => name === undefined || fields.get("agent") === name);
  await until(`the goodbye of ${name ?? pid}`, () => lines().length > 0);
  return lines();
}

/** An end that is no clean one. */
async function untilEnded(door: DaemonDoor, pid: number): Promise<void> {
  await until(`the end of ${pid}`, () => {
    expect(door.daemon.saying("member gone", pid)).toEqual([]);
    return door.daemon.saying("member ended", pid).length > 0;
  });
}

async function untilSent(driver: Driver): Promise<void> {
  await until("a beat to be sent", async () => (await driver.do("beat ok 0")) === "sent");
}
