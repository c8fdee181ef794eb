// Watchdogs that get in each other's way (spec 12 sections 2 to 4): each is to bite later than the
// one below it, a device has one holder, and a sandbox may hide it.
import { shellWord } from "../../base/shell_word.ts";
import { SELF_WATCHDOG_NS_MANAGED } from "../../base/limits.ts";
import { shortDuration } from "../../base/short_duration.ts";
import { NS_PER_MS } from "../../base/time.ts";
import type { UnitSettings } from "../../config/checks/unit_file.ts";
import { KernelFiles } from "../../processes/kernel_files.ts";
import { check, type Finding, NEEDS_CONFIG } from "../check.ts";
import type { Place } from "../place.ts";
import { dropIn } from "../words.ts";

const ANSWER_MS_MAX = 2_000;
const STATUS_BYTES_MAX = 65_536;
const EXAMPLE = "/usr/share/doc/varta-watch/examples/hw-watchdog.conf";
/** What systemd opens that is told of no other one, and its older name. */
const FIRST_DEVICE = "/dev/watchdog0";
const FIRST_DEVICE_NAMES: readonly string[] = ["/dev/watchdog", FIRST_DEVICE, ""];

interface WatchdogFacts {
  /** The hardware watchdog that is configured. */
  readonly device: string | undefined;
  /** The one that the service manager feeds; undefined = it feeds none, or there is none. */
  readonly managerDevice: string | undefined;
  readonly unit: UnitSettings | undefined;
  /** Undefined = that of a daemon under a service manager that watches it. */
  readonly selfWatchdogMs: number | undefined;
  /** The daemon is the first process of its pid namespace. */
  readonly isInit: boolean;
}

export const WATCHDOGS = check<WatchdogFacts>({
  name: "watchdogs",
  about: "self-watchdog, `WatchdogSec` of the unit and hardware watchdog against each other",
  gather: ({ config, unit, daemon, proc }) => {
    if (config === undefined) return NEEDS_CONFIG;
    const { hwWatchdog: device, selfWatchdogNs } = config.liveness;
    return {
      device,
      managerDevice: device === undefined ? undefined : managerDevice(),
      unit,
      selfWatchdogMs: selfWatchdogNs === undefined ? undefined : selfWatchdogNs / NS_PER_MS,
      isInit: daemon !== undefined && isInit(proc, daemon),
    };
  },
  decide: (facts) => deviceFinding(facts) ?? deadlineFinding(facts),
});

function deviceFinding({ device, managerDevice: held, unit }: WatchdogFacts): Finding | undefined {
  if (device === undefined) return undefined;
  if (held !== undefined && sameDevice(device, held))
    return {
      severity: "fault",
      found: `systemd feeds the hardware watchdog itself (RuntimeWatchdogSec=), and so is ${device} to be.`,
      effect: "One process alone can hold it: the daemon cannot start.",
      fix: { words: "take hw_watchdog out of [liveness]; systemd watches by WatchdogSec=" },
    };
  if (unit === undefined || !isHidden(unit)) return undefined;
  return {
    severity: "fault",
    found: `The unit ${unit.name} hides the hardware watchdog ${device}.`,
    effect: "The daemon cannot open it, and does not start.",
    fix: {
      run: [
        `install -D -m 0644 ${EXAMPLE} ${shellWord(`/etc/systemd/system/${unit.name}.d/hw-watchdog.conf`)}`,
        "systemctl daemon-reload",
        `systemctl restart ${shellWord(unit.name)}`,
      ],
    },
  };
}

function deadlineFinding({ unit, selfWatchdogMs, isInit: first }: WatchdogFacts) {
  const managedMs = SELF_WATCHDOG_NS_MANAGED / NS_PER_MS;
  if (first && selfWatchdogMs !== undefined)
    return {
      severity: "warning",
      found: "The daemon is the first process of its container.",
      effect: "The kernel spares it the signal of its self-watchdog: one that hangs goes on.",
      fix: { words: "run it under an init: docker run --init" },
    } as const;
  if (unit === undefined) return undefined;
  const text = unit.keys.get("WatchdogSec")?.at(-1);
  const unitMs = text === undefined ? 0 : spanMs(text);
  const ownMs = selfWatchdogMs ?? managedMs;
  if (unitMs === 0 && selfWatchdogMs === undefined)
    return {
      severity: "advice",
      found: `Nothing ends a daemon that hangs: ${unit.name} has no WatchdogSec.`,
      effect: "It would watch nobody until somebody sees that.",
      fix: dropIn(unit.name, "WatchdogSec=20s"),
    } as const;
  if (!(unitMs > 0 && unitMs <= ownMs)) return undefined;
  return {
    severity: "warning",
    found: `WatchdogSec=${text} of ${unit.name} is not longer than the self-watchdog of ${shortDuration(ownMs)}.`,
    effect: "systemd kills a daemon that is only slow, before that has ended itself.",
    fix: dropIn(unit.name, `WatchdogSec=${Math.ceil((5 * ownMs) / 1_000)}s`),
  } as const;
}

/** Without its own /dev, or with one that lets no watchdog in. */
function isHidden({ keys }: UnitSettings): boolean {
  const last = (key: string) => keys.get(key)?.at(-1) ?? "no";
  if (!["no", "false", "off", "0"].includes(last("PrivateDevices"))) return true;
  if (!["closed", "strict"].includes(last("DevicePolicy"))) return false;
  return !(keys.get("DeviceAllow") ?? []).some((one) => one.includes("watchdog"));
}

function sameDevice(one: string, other: string): boolean {
  const name = (path: string) => (FIRST_DEVICE_NAMES.includes(path) ? FIRST_DEVICE : path);
  return name(one) === name(other);
}

/** What the service manager says that it does itself. */
function managerDevice(): string | undefined {
  const properties = ["RuntimeWatchdogUSec", "WatchdogDevice"];
  const program = Bun.which("systemctl", { PATH: process.env["PATH"] ?? "" });
  if (program === null) return undefined;
  const { stdout, exitCode } = Bun.spawnSync(
    [program, "show", ...properties.flatMap((name) => ["-p", name])],
    { stdin: "ignore", stdout: "pipe", stderr: "ignore", timeout: ANSWER_MS_MAX },
  );
  const text = stdout.toString();
  const span = /^RuntimeWatchdogUSec=(.+)$/m.exec(text)?.[1] ?? "0";
  if (exitCode !== 0 || span === "0") return undefined;
  return /^WatchdogDevice=(.*)$/m.exec(text)?.[1] ?? "";
}

/** As systemd.time(7) has it; NaN = it is not understood. */
function spanMs(text: string): number {
  const units: Readonly<Record<string, number>> = {
    ...{ "": 1_000, s: 1_000, sec: 1_000, ms: 1, msec: 1 },
    ...{ m: 60_000, min: 60_000, h: 3_600_000 },
  };
  const parts = text.trim().match(/^(?:\d+(?:\.\d+)?\s*[a-z]*\s*)+$/) && [
    ...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)/g),
  ];
  if (!parts) return Number.NaN;
  return parts.reduce((sum, [, count, unit = ""]) => {
    return sum + Number(count) * (units[unit] ?? Number.NaN);
  }, 0);
}

function isInit(proc: string, { pid }: NonNullable<Place["daemon"]>): boolean {
  const status = new KernelFiles().text(`${proc}/${pid}/status`, STATUS_BYTES_MAX);
  return /^NSpid:.*\s1$/m.test(status);
}
