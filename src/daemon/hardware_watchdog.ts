// The hardware watchdog (spec 12 section 4): a device that reboots the machine when nobody writes
// to it. Only a turn that judged is a reason for a write, so a daemon that runs and no longer looks
// for stalls does not keep the machine up. A clean end stops the device; a crash leaves it running.
import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from "node:fs";
import { WDIOF_MAGICCLOSE } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import {
  setWatchdogTimeout,
  type WatchdogSupport,
  watchdogSupport,
  watchdogTimeout,
} from "../../ffi/hardware_watchdog.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";
import { errorText, StartError } from "./start_error.ts";

/** Seven self-watchdog deadlines of 4 s, and longer than a restart. */
const HW_TIMEOUT_S_MIN = 30;
const KICKS_PER_TIMEOUT = 4;
/** After a turn that did not judge, or a write that failed. */
const RETRY_NS = 50 * NS_PER_MS;
const KICK = "\0";
const MAGIC_CLOSE = "V";

/** An open device: the kernel's, or that of a test. Numbers are -errno if they are negative. */
export interface WatchdogDevice {
  support(): WatchdogSupport | number;
  timeoutS(): number;
  setTimeoutS(seconds: number): number;
  /** Throws if it does not take the byte. */
  write(byte: string): void;
  close(): void;
}

interface HardwareWatchdogOptions {
  readonly path: string;
  /** Grows with every judge point. */
  readonly judgePoints: () => number;
  readonly log: Pick<Log, "info" | "warn" | "limited">;
  /** In place of `openDevice`, for tests: hardly a machine that runs them has a device. */
  readonly open?: (path: string) => WatchdogDevice;
}

export class HardwareWatchdog implements Deadline {
  readonly #options: HardwareWatchdogOptions;
  readonly #device: WatchdogDevice;
  readonly #kickEveryNs: number;
  #dueNs = 0;
  #judgePointsSeen = 0;
  #isClosed = false;

  /** Opens the device, which from then on wants its writes; throws `StartError`. */
  static open(options: HardwareWatchdogOptions): HardwareWatchdog {
    const { path, log, open = openDevice } = options;
    const device = open(path);
    const support = device.support();
    if (typeof support === "number") {
      // Whatever it is, a letter may mean something to it.
      device.close();
      throw refusal(
        path,
        `it is no watchdog: ${errnoText(-support)}`,
        "name a device of a watchdog driver, such as /dev/watchdog; wdctl lists them",
      );
    }
    const timeoutS = grantedTimeoutS(device);
    if (!(timeoutS >= HW_TIMEOUT_S_MIN)) {
      stop(device);
      const found = timeoutS < 0 ? errnoText(-timeoutS) : `${timeoutS} s`;
      throw refusal(
        path,
        `its timeout must be at least ${HW_TIMEOUT_S_MIN} s: found ${found}`,
        "another driver, or another module parameter of this one, may allow a longer timeout",
      );
    }
    const { identity, options: bits } = support;
    log.info("hardware watchdog armed", { device: path, driver: identity, timeout_s: timeoutS });
    if ((bits & WDIOF_MAGICCLOSE) === 0)
      log.warn("hardware watchdog unstoppable", {
        device: path,
        reason: "its driver knows no magic close",
        effect: `the machine reboots ${timeoutS} s after the daemon has ended, however it ends`,
      });
    return new HardwareWatchdog(options, device, timeoutS);
  }

  private constructor(options: HardwareWatchdogOptions, device: WatchdogDevice, timeoutS: number) {
    this.#options = options;
    this.#device = device;
    this.#kickEveryNs = (timeoutS * NS_PER_S) / KICKS_PER_TIMEOUT;
  }

  nextDeadlineNs(): number {
    return this.#dueNs;
  }

  /** At the end of a turn: kicks the device if that is due and the turn judged. */
  maintain(nowNs: number): void {
    if (nowNs < this.#dueNs || this.#isClosed) return;
    this.#dueNs = nowNs + RETRY_NS;
    const { judgePoints, path, log } = this.#options;
    const seen = judgePoints();
    if (seen === this.#judgePointsSeen) return;
    try {
      this.#device.write(KICK);
    } catch (error) {
      log.limited("hw_watchdog_io", "error", "hardware watchdog failed", {
        device: path,
        error: errorText(error),
        effect: "the machine reboots if it takes no write for its timeout",
      });
      return;
    }
    this.#judgePointsSeen = seen;
    this.#dueNs = nowNs + this.#kickEveryNs;
  }

  /** A clean end: the device stops. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#dueNs = Number.POSITIVE_INFINITY;
    stop(this.#device);
  }
}

/** What is granted after 30 s were asked for, if it was less; -errno if the device does not say. */
function grantedTimeoutS(device: WatchdogDevice): number {
  const timeoutS = device.timeoutS();
  if (timeoutS < 0 || timeoutS >= HW_TIMEOUT_S_MIN) return timeoutS;
  const granted = device.setTimeoutS(HW_TIMEOUT_S_MIN);
  // Some drivers take what they can, and say so only when they are asked.
  return granted < 0 ? timeoutS : device.timeoutS();
}

function stop(device: WatchdogDevice): void {
  try {
    device.write(MAGIC_CLOSE);
  } catch {
    // It runs on then, and the daemon ends anyway.
  }
  device.close();
}

/** Opens `path` if it is a character device; throws `StartError`. */
function openDevice(path: string): WatchdogDevice {
  // Before it is opened: a pipe would wait for a reader, and a file be written to.
  requireCharacterDevice(path, statSync);
  const fd = opened(path);
  try {
    requireCharacterDevice(path, () => fstatSync(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    support: () => watchdogSupport(fd),
    timeoutS: () => watchdogTimeout(fd),
    setTimeoutS: (seconds) => setWatchdogTimeout(fd, seconds),
    write: (byte) => void writeSync(fd, byte),
    close: () => closeSync(fd),
  };
}

function requireCharacterDevice(
  path: string,
  look: (path: string) => { isCharacterDevice(): boolean },
): void {
  let isDevice: boolean;
  try {
    isDevice = look(path).isCharacterDevice();
  } catch (error) {
    throw refusal(
      path,
      errorText(error),
      "see ls -l /dev/watchdog*; the shipped unit hides devices: hw-watchdog.conf among the examples lets this one in",
    );
  }
  if (isDevice) return;
  throw refusal(path, "it is no character device", "name one, such as /dev/watchdog");
}

function opened(path: string): number {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    throw refusal(path, errorText(error), hintFor((error as NodeJS.ErrnoException).code));
  }
}

function hintFor(code: string | undefined): string {
  if (code === "EBUSY")
    return "one process alone may hold it: if systemd does (systemctl show -p RuntimeWatchdogUSec), take either RuntimeWatchdogSec= or this key; else fuser -v shows who";
  return "the daemon's user must be able to write to it: see hw-watchdog.conf among the examples";
}

function refusal(path: string, found: string, hint: string): StartError {
  return new StartError(`cannot use hardware watchdog ${path}: ${found}`, hint);
}
