// The contract of every client library (spec 21 section 3), one table over each language and each
// door that it has. A row sees what an observer would see: frames, and the senders that the kernel
// names.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CLOCK_MONOTONIC } from "../../ffi/constants.ts";
import { clockNs } from "../../ffi/clock.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { DoorProcess, HAS_DOOR } from "./door_process.ts";
import { type Door, Driver, LANGUAGES, type Language } from "./driver.ts";

setDefaultTimeout(TEST_MS_MAX);

const NONCE_TERMINAL = 2n ** 64n - 1n;
/** More beats to a full queue, of which the machine may hold up some. */
const MORE = 20;

interface Row {
  readonly promise: string;
  /** Only where a program can fork and share a client between threads. */
  readonly forks?: boolean;
  readonly run: (at: At) => Promise<void>;
}

interface At {
  readonly language: Language;
  readonly kind: Door;
  readonly door: DoorProcess;
  readonly driver: Driver;
}

const ROWS: readonly Row[] = [
  {
    promise: "status, payload, pid and nonces from 1 arrive, on the monotonic clock",
    async run({ door, driver }) {
      const beforeNs = clockNs(CLOCK_MONOTONIC);
      expect(await beat(driver)).toBe("sent");
      expect(await driver.do("beat degraded 4294967295")).toBe("sent");
      expect(await driver.do("beat critical 7")).toBe("sent");
      const afterNs = clockNs(CLOCK_MONOTONIC);
      await door.untilHeard(3);
      const { pid } = driver;
      expect(door.heard.map(({ by, frame }) => [by, frame.pid])).toEqual([
        [pid, pid],
        [pid, pid],
        [pid, pid],
      ]);
      const rows = door.heard.map(({ frame }) => [frame.status, frame.nonce, frame.payload]);
      expect(rows).toEqual([
        ["ok", 1n, 0],
        ["degraded", 2n, 4_294_967_295],
        ["critical", 3n, 7],
      ]);
      const stamps = door.heard.map(({ frame }) => Number(frame.timestamp));
      expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
      expect(stamps[0]).toBeGreaterThanOrEqual(beforeNs);
      expect(stamps[2]).toBeLessThanOrEqual(afterNs);
    },
  },
  {
    promise: "a wrong status is failed, and uses no nonce",
    async run({ door, driver }) {
      await beat(driver);
      expect(await driver.do("beat stall 0")).toBe("failed bad_status");
      await beat(driver);
      await door.untilHeard(2);
      expect(door.noncesOf(driver.pid)).toEqual([1n, 2n]);
    },
  },
  {
    promise: "the variables of the environment name the door when nothing else does",
    async run({ kind, language, door }) {
      const name = kind === "unix-stream" ? "VARTA_STREAM" : "VARTA_SOCKET";
      await using driver = new Driver(language, { VARTA_STREAM: "", [name]: door.path });
      await driver.do("default");
      expect(await beat(driver)).toBe("sent");
      await door.untilHeard(1);
      expect(door.heard[0]!.by).toBe(driver.pid);
    },
  },
  {
    promise: "a crash beat has the terminal nonce and a later time than every beat before",
    async run({ door, driver }) {
      await beat(driver);
      expect(await driver.do("crash 9")).toBe("sent");
      expect(await driver.do("crash 9")).toBe("sent");
      expect(await beat(driver)).toBe("sent");
      await door.untilHeard(4);
      const [first, crash, again, after] = door.heard.map(({ frame }) => frame);
      expect([crash!.status, crash!.nonce, crash!.payload]).toEqual([
        "critical",
        NONCE_TERMINAL,
        9,
      ]);
      expect(crash!.timestamp).toBeGreaterThan(first!.timestamp);
      expect(again!.timestamp).toBeGreaterThan(crash!.timestamp);
      expect(after!.nonce).toBe(2n);
    },
  },
  {
    promise: "a process that dies of its own error says so, and dies as without it",
    async run({ door, driver, language }) {
      await beat(driver);
      expect(await driver.doAndDie("die")).toBe(language.death);
      await door.untilHeard(2);
      expect(door.heard[1]!.frame.nonce).toBe(NONCE_TERMINAL);
    },
  },
  {
    promise: "a forked child has nonces and a connection of its own, and its parent goes on",
    forks: true,
    async run({ door, driver, kind }) {
      await beat(driver);
      const [child, outcomes] = (await driver.do("fork 2")).split(" ");
      expect(outcomes).toBe("sent,sent");
      // The child ended, and its connection with it: that of its parent stays.
      if (kind === "unix-stream") await until("the end", () => door.ends.length === 1, 2_000);
      await beat(driver);
      await door.untilHeard(4);
      expect(door.noncesOf(Number(child))).toEqual([1n, 2n]);
      expect(door.noncesOf(driver.pid)).toEqual([1n, 2n]);
      expect(door.heard.every(({ by, frame }) => by === frame.pid)).toBe(true);
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
    forks: true,
    async run({ door, driver }) {
      const count = Number(await driver.do("threads 4 200"));
      expect(count).toBeGreaterThan(4);
      await door.untilHeard(count);
      const nonces = door.noncesOf(driver.pid).toSorted((a, b) => (a < b ? -1 : 1));
      expect(nonces).toEqual(Array.from({ length: count }, (_, at) => BigInt(at + 1)));
    },
  },
  {
    promise: "a door that is not there yet is found by a later beat, which is number 1",
    async run({ door, driver }) {
      await door.kill();
      expect(await beat(driver)).toBe("dropped no_observer");
      await door.open();
      await untilSent(driver);
      await door.untilHeard(1);
      expect(door.noncesOf(driver.pid)).toEqual([1n]);
    },
  },
  {
    promise: "a door that is killed and opened again is found again, without a gap",
    async run({ door, driver }) {
      await beat(driver);
      await door.untilHeard(1);
      await door.kill();
      // A runtime that connects in its own time may not have seen the end yet.
      await until("the end to be told", async () => (await beat(driver)) === "dropped no_observer");
      await door.open();
      await untilSent(driver);
      await beat(driver);
      await door.untilHeard(3);
      const nonces = door.noncesOf(driver.pid);
      expect(nonces[0]).toBe(1n);
      expect(nonces[2]! - nonces[1]!).toBe(1n);
    },
  },
  {
    promise: "a full queue drops beats at once, and loses no nonce and no half frame",
    async run({ door, driver }) {
      await beat(driver);
      await door.untilHeard(1);
      door.signal("SIGSTOP");
      const [kind, reason, taken, slow] = (await driver.do(`fill ${MORE}`)).split(" ");
      door.signal("SIGCONT");
      expect([kind, reason]).toEqual(["dropped", "queue_full"]);
      expect(Number(slow)).toBeLessThan(MORE / 2);
      await door.untilHeard(1 + Number(taken));
      await untilSent(driver);
      const count = Number(taken) + 2;
      await door.untilHeard(count);
      const expected = Array.from({ length: count }, (_, at) => BigInt(at + 1));
      expect(door.noncesOf(driver.pid)).toEqual(expected);
    },
  },
  {
    promise: "after close() beats are dropped, and the connection ended whole",
    async run({ door, driver, kind }) {
      await beat(driver);
      await driver.do("close");
      expect(await driver.do("beat ok 0")).toBe("dropped closed");
      if (kind === "unix-stream") await until("the end", () => door.ends.length === 1);
      expect(door.ends).toEqual(kind === "unix-stream" ? [0] : []);
    },
  },
];

for (const language of LANGUAGES) {
  for (const kind of language.doors) {
    const canRun = language.argv !== undefined && HAS_DOOR;
    describe.skipIf(!canRun)(`the client for ${language.name} at a ${kind} door`, () => {
      const rows = ROWS.filter(({ forks }) => forks !== true || language.forks);
      test.concurrent.each(rows.map((row) => [row.promise, row] as const))(
        "%s",
        async (_, { run }) => {
          await using door = await DoorProcess.open(kind);
          await using driver = new Driver(language);
          await driver.do(`${kind} ${door.path}`);
          await run({ language, kind, door, driver });
          expect(door.faults).toEqual([]);
        },
      );
    });
  }
}

/** Of a beat; where a runtime connects in its own time, of the first one after that. */
async function beat(driver: Driver): Promise<string> {
  let outcome = "";
  await until("the connection to be made, or not", async () => {
    outcome = await driver.do("beat ok 0");
    return outcome !== "dropped connecting";
  });
  return outcome;
}

async function untilSent(driver: Driver): Promise<void> {
  await until("a beat to be sent", async () => (await driver.do("beat ok 0")) === "sent");
}
