// Watchdogs that get in each other's way: by unit files, and by what systemctl says.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { findUnit } from "../../src/config/checks/unit_file.ts";
import { WATCHDOGS } from "../../src/doctor/checks/watchdogs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { daemonSeen, findingOf, placeOf } from "./harness.ts";

const LISTENER = '[[listener]]\nkind = "unix"\npath = "DIR/varta.sock"\n';
const HARDWARE = '[liveness]\nhw_watchdog = "/dev/watchdog"\n';
const SHIPPED = `${import.meta.dir}/../../packaging/systemd`;

let directory: TemporaryDirectory;
const path = process.env["PATH"];

beforeEach(() => {
  directory = new TemporaryDirectory();
  managerSays("0", "");
});

afterEach(() => {
  process.env["PATH"] = path;
  directory[Symbol.dispose]();
});

/** systemctl(1) is a script: what the manager of this machine does is not the matter here. */
function managerSays(span: string, device: string): void {
  const bin = directory.at("bin");
  mkdirSync(bin, { recursive: true });
  const lines = `RuntimeWatchdogUSec=${span}\nWatchdogDevice=${device}\n`;
  writeFileSync(`${bin}/systemctl`, `#!/bin/sh\nprintf '${lines.replaceAll("\n", "\\n")}'\n`);
  chmodSync(`${bin}/systemctl`, 0o755);
  process.env["PATH"] = `${bin}:${path}`;
}

function unitWith(...settings: readonly string[]) {
  mkdirSync(directory.at("units"), { recursive: true });
  const text = ["[Service]", ...settings, "ExecStart=/x -c /y", ""].join("\n");
  writeFileSync(directory.at("units/varta-watch.service"), text);
  return findUnit(undefined, [directory.at("units")]);
}

async function found(text: string, unit: ReturnType<typeof findUnit>, other = {}) {
  return await findingOf(WATCHDOGS, await placeOf(directory, LISTENER + text, { unit, ...other }));
}

describe("watchdogs", () => {
  test("has nothing to say of the unit that is shipped, nor without a unit", async () => {
    expect(await found("", findUnit(undefined, [SHIPPED]))).toBeUndefined();
    expect(await found(HARDWARE, undefined)).toBeUndefined();
  });

  test("finds a device that the unit hides, and takes the shipped example for a cure", async () => {
    expect(await found(HARDWARE, findUnit(undefined, [SHIPPED]))).toMatchObject({
      severity: "fault",
      found: "The unit varta-watch.service hides the hardware watchdog /dev/watchdog.",
    });
    const open = ["PrivateDevices=no", "DevicePolicy=closed", "WatchdogSec=20s"];
    expect(await found(HARDWARE, unitWith(...open))).toMatchObject({ severity: "fault" });
    const allowed = unitWith(...open, "DeviceAllow=char-watchdog rw");
    expect(await found(HARDWARE, allowed)).toBeUndefined();
  });

  test("finds the device that systemd feeds, by either of its names, and no other", async () => {
    const unit = unitWith("WatchdogSec=20s");
    managerSays("30s", "");
    expect(await found(HARDWARE, unit)).toMatchObject({ severity: "fault" });
    managerSays("30s", "/dev/watchdog0");
    expect((await found(HARDWARE, unit))?.found).toContain("RuntimeWatchdogSec=");
    managerSays("30s", "/dev/watchdog1");
    expect(await found(HARDWARE, unit)).toBeUndefined();
  });

  test.each([
    ["3s", "", "warning"],
    ["4", "", "warning"],
    ["4500ms", "", undefined],
    ["20s", '[liveness]\nself_watchdog = "20s"\n', "warning"],
    ["1min 30s", '[liveness]\nself_watchdog = "60s"\n', undefined],
  ] as const)("holds WatchdogSec=%s against the self-watchdog", async (span, text, severity) => {
    expect((await found(text, unitWith(`WatchdogSec=${span}`)))?.severity).toBe(severity);
  });

  test("advises where nothing ends a daemon that hangs", async () => {
    expect(await found("", unitWith())).toMatchObject({ severity: "advice" });
    expect(await found('[liveness]\nself_watchdog = "4s"\n', unitWith())).toBeUndefined();
  });

  test("finds a self-watchdog that the kernel spares the first process of a container", async () => {
    mkdirSync(directory.at(`proc/${process.pid}`), { recursive: true });
    const status = directory.at(`proc/${process.pid}/status`);
    const text = '[liveness]\nself_watchdog = "4s"\n';
    const other = { proc: directory.at("proc"), daemon: daemonSeen() };
    writeFileSync(status, `Name:\tx\nNSpid:\t${process.pid}\t1\nNSsid:\t7\t1\n`);
    expect(await found(text, undefined, other)).toMatchObject({ severity: "warning" });
    writeFileSync(status, `Name:\tx\nNSpid:\t${process.pid}\t7\nNSsid:\t7\t1\n`);
    expect(await found(text, undefined, other)).toBeUndefined();
  });
});
