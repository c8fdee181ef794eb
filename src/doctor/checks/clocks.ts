// The clocks: the one that silence is measured on, and the one of the times in logs and records.
import { existsSync } from "node:fs";
import { clockIsSynchronized } from "../../../ffi/clock_state.ts";
import { KernelFiles } from "../../processes/kernel_files.ts";
import { hasUnit } from "../../config/checks/unit_file.ts";
import { check, type Finding, leftOut, NEEDS_CONFIG } from "../check.ts";

const SOURCE_FILE = "devices/system/clocksource/clocksource0/current_clocksource";
/** Read by a call of the kernel and through a device: microseconds, not 20 ns. */
const SLOW_SOURCES: readonly string[] = ["hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies"];

/** Whoever of them is there is to be enabled. */
const TIME_SERVICES: readonly string[] = [
  "chrony.service",
  "chronyd.service",
  "ntpsec.service",
  "systemd-timesyncd.service",
];

export const CLOCK_SOURCE = check({
  name: "clock_source",
  about: "`observer.clock_source` against what a suspended machine is to count as",
  gather: ({ config }) =>
    config === undefined ? NEEDS_CONFIG : { source: config.observer.clockSource },
  decide: ({ source }) =>
    source !== "boottime"
      ? undefined
      : {
          severity: "advice",
          found: "Silence is measured on the boot time, which goes on in a suspended machine.",
          effect: "After a suspend every agent has been silent for all of it.",
          fix: { words: 'observer.clock_source = "monotonic", unless that is meant' },
        },
});

export const KERNEL_CLOCK = check({
  name: "kernel_clock",
  about: "the clock source of the kernel",
  gather: ({ sys }) => {
    const source = new KernelFiles().text(`${sys}/${SOURCE_FILE}`, 64).trim();
    return source === "" ? leftOut("/sys/devices/system/clocksource") : { source };
  },
  decide: ({ source }) =>
    SLOW_SOURCES.includes(source)
      ? {
          severity: "advice",
          found: `The kernel takes its time from ${source}.`,
          effect: "Each look at the clock costs microseconds, in every program.",
          fix: { words: "see why tsc or kvm-clock was given up: dmesg | grep -i clocksource" },
        }
      : undefined,
});

export const TIME_SYNC = check({
  name: "time_sync",
  about: "whether something keeps the clock of this machine right",
  gather: ({ unitDirectories }) => {
    const isSynchronized = clockIsSynchronized();
    if (isSynchronized === undefined) return leftOut("adjtimex(2)");
    const services = TIME_SERVICES.filter((unit) => hasUnit(unit, unitDirectories));
    return { isSynchronized, isContainer: isContainer(), services };
  },
  decide: timeSyncFinding,
});

interface TimeSyncFacts {
  readonly isSynchronized: boolean;
  readonly isContainer: boolean;
  /** Units of them that are installed. */
  readonly services: readonly string[];
}

export function timeSyncFinding(facts: TimeSyncFacts): Finding | undefined {
  const { isSynchronized, isContainer, services } = facts;
  if (isSynchronized) return undefined;
  const [service] = services;
  return {
    severity: "advice",
    found: "The clock of this machine is not synchronized.",
    effect: "Times of events and records cannot be held against those of other machines.",
    fix: isContainer
      ? { words: "run chrony or systemd-timesyncd on the host of this container" }
      : service === undefined
        ? { words: "install chrony or systemd-timesyncd" }
        : { run: [`systemctl enable --now ${service}`] },
  };
}

/** Whose clock is that of its host. */
function isContainer(): boolean {
  return ["/run/systemd/container", "/.dockerenv", "/run/.containerenv"].some((path) =>
    existsSync(path),
  );
}
