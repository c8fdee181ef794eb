// The hardware watchdog by its seam, since hardly a machine that runs tests has one: a device that
// keeps what it was told, and counts down as the kernel's do.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EINVAL, IS_LINUX, WDIOF_MAGICCLOSE } from "../../ffi/constants.ts";
import type { WatchdogSupport } from "../../ffi/hardware_watchdog.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { HardwareWatchdog, type WatchdogDevice } from "../../src/daemon/hardware_watchdog.ts";
import type { LogFields } from "../../src/daemon/log.ts";
import { StartError } from "../../src/daemon/start_error.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** A device of a driver with the given limits; -errno of what it does not know. */
class ScriptedDevice implements WatchdogDevice {
  readonly told: string[] = [];
  refusesWrites = false;
  #timeoutS: number;
  readonly #longestS: number;
  readonly #support: WatchdogSupport | number;

  constructor(timeoutS: number, longestS = timeoutS, support?: WatchdogSupport | number) {
    this.#timeoutS = timeoutS;
    this.#longestS = longestS;
    this.#support = support ?? { options: WDIOF_MAGICCLOSE, identity: "scripted" };
  }

  support(): WatchdogSupport | number {
    return this.#support;
  }

  timeoutS(): number {
    return this.#timeoutS;
  }

  setTimeoutS(seconds: number): number {
    this.told.push(`timeout ${seconds}`);
    if (seconds > this.#longestS) return -EINVAL;
    this.#timeoutS = seconds;
    return seconds;
  }

  write(byte: string): void {
    if (this.refusesWrites) throw new Error("EIO: i/o error, write");
    this.told.push(byte === "\0" ? "kick" : byte);
  }

  close(): void {
    this.told.push("close");
  }
}

let device: ScriptedDevice;
let judgePoints: number;
let lines: [string, LogFields][];

beforeEach(() => {
  device = new ScriptedDevice(60);
  judgePoints = 0;
  lines = [];
});

function open(path = "/dev/watchdog", opener?: () => WatchdogDevice): HardwareWatchdog {
  const keep = (message: string, fields: LogFields = {}): void =>
    void lines.push([message, fields]);
  return HardwareWatchdog.open({
    path,
    judgePoints: () => judgePoints,
    log: {
      info: keep,
      warn: keep,
      limited: (_kind, _level, message, fields) => keep(message, fields),
    },
    ...(opener !== undefined && { open: opener }),
  });
}

function opened(): HardwareWatchdog {
  return open("/dev/watchdog", () => device);
}

/** The message and hint with which a start ends. */
function refusal(act: () => unknown): [string, string] {
  try {
    act();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return [error.message, error.hint];
  }
  throw new Error("it was accepted");
}

describe("HardwareWatchdog.open()", () => {
  test("takes a device of 30 s or more as it is, and says so", () => {
    device = new ScriptedDevice(30);
    opened();
    expect(device.told).toEqual([]);
    expect(lines).toEqual([
      ["hardware watchdog armed", { device: "/dev/watchdog", driver: "scripted", timeout_s: 30 }],
    ]);
  });

  test("asks a device of less for 30 s", () => {
    device = new ScriptedDevice(10, 600);
    opened();
    expect(device.told).toEqual(["timeout 30"]);
    expect(lines[0]![1]["timeout_s"]).toBe(30);
  });

  test("stops a device that does not grant 30 s, and ends the start", () => {
    device = new ScriptedDevice(10, 20);
    expect(refusal(opened)[0]).toBe(
      "cannot use hardware watchdog /dev/watchdog: its timeout must be at least 30 s: found 10 s",
    );
    expect(device.told).toEqual(["timeout 30", "V", "close"]);
  });

  test("goes by what the device says, not by what it was asked for", () => {
    device = new ScriptedDevice(10, 600);
    device.setTimeoutS = (seconds) => seconds;
    expect(refusal(opened)[0]).toEndWith("found 10 s");
  });

  test("stops a device that does not say its timeout", () => {
    device = new ScriptedDevice(-EINVAL);
    expect(refusal(opened)[0]).toContain("EINVAL");
    expect(device.told).toEqual(["V", "close"]);
  });

  test("writes nothing to a device that is no watchdog", () => {
    device = new ScriptedDevice(60, 60, -EINVAL);
    expect(refusal(opened)[0]).toContain("it is no watchdog: EINVAL");
    expect(device.told).toEqual(["close"]);
  });

  test("warns of a driver without magic close, which reboots also after a clean end", () => {
    device = new ScriptedDevice(60, 60, { options: 0, identity: "stubborn" });
    opened();
    expect(lines.map(([message]) => message)).toEqual([
      "hardware watchdog armed",
      "hardware watchdog unstoppable",
    ]);
  });
});

describe("HardwareWatchdog.maintain()", () => {
  test("kicks in the first turn that judged, and every quarter of the timeout", () => {
    const watchdog = opened();
    const kickedAtS: number[] = [];
    for (let second = 0; second <= 60; second++) {
      judgePoints++;
      watchdog.maintain(second * NS_PER_S);
      if (device.told.splice(0).includes("kick")) kickedAtS.push(second);
    }
    expect(kickedAtS).toEqual([0, 15, 30, 45, 60]);
  });

  test("leaves it alone in turns that did not judge, until one does", () => {
    const watchdog = opened();
    judgePoints++;
    watchdog.maintain(0);
    for (let second = 1; second < 60; second++) watchdog.maintain(second * NS_PER_S);
    expect(device.told).toEqual(["kick"]);
    expect(watchdog.nextDeadlineNs()).toBe(59 * NS_PER_S + 50 * NS_PER_MS);
    judgePoints++;
    watchdog.maintain(60 * NS_PER_S);
    expect(device.told).toEqual(["kick", "kick"]);
  });

  test("is due at once after a suspended machine, and kicks in the turn that judged", () => {
    const watchdog = opened();
    judgePoints++;
    watchdog.maintain(0);
    const resumedNs = 8 * 3_600 * NS_PER_S;
    expect(watchdog.nextDeadlineNs()).toBeLessThan(resumedNs);
    watchdog.maintain(resumedNs);
    judgePoints++;
    watchdog.maintain(resumedNs + 50 * NS_PER_MS);
    expect(device.told).toEqual(["kick", "kick"]);
  });

  test("tries a write that failed again, and tells", () => {
    const watchdog = opened();
    judgePoints++;
    device.refusesWrites = true;
    watchdog.maintain(0);
    expect(lines.at(-1)![0]).toBe("hardware watchdog failed");
    device.refusesWrites = false;
    // No new judge point is needed: that turn was not told of yet.
    watchdog.maintain(50 * NS_PER_MS);
    expect(device.told).toEqual(["kick"]);
  });
});

describe("HardwareWatchdog.close()", () => {
  test("stops the device once, and kicks it no more", () => {
    const watchdog = opened();
    watchdog.close();
    watchdog.close();
    judgePoints++;
    watchdog.maintain(NS_PER_S);
    expect(device.told).toEqual(["V", "close"]);
    expect(watchdog.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("closes a device that does not take the letter", () => {
    const watchdog = opened();
    device.refusesWrites = true;
    watchdog.close();
    expect(device.told).toEqual(["close"]);
  });
});

describe.skipIf(!IS_LINUX)("a path of this machine", () => {
  let directory: TemporaryDirectory;

  beforeEach(() => {
    directory = new TemporaryDirectory();
  });
  afterEach(() => directory[Symbol.dispose]());

  test("that is a file is refused, and nothing is written to it", () => {
    const path = join(directory.path, "file");
    writeFileSync(path, "mine");
    expect(refusal(() => open(path))[0]).toEndWith("it is no character device");
    expect(Bun.file(path).size).toBe(4);
  });

  test("that is a pipe is refused, and its reader is not waited for", () => {
    const path = join(directory.path, "pipe");
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    expect(refusal(() => open(path))[0]).toEndWith("it is no character device");
  });

  test("that does not exist is refused, with a word about the unit", () => {
    const [message, hint] = refusal(() => open(join(directory.path, "none")));
    expect(message).toContain("ENOENT");
    expect(hint).toContain("hw-watchdog.conf");
  });

  test("that is another character device is refused by the kernel's own answer", () => {
    const link = join(directory.path, "null");
    symlinkSync("/dev/null", link);
    expect(refusal(() => open(link))[0]).toContain("it is no watchdog: ENOTTY");
  });
});
