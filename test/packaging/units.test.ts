import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/binary/target.ts";
import { mappedFiles } from "../../scripts/package/stage.ts";
import { LISTENERS_MAX } from "../../src/base/limits.ts";
import { EndWatch } from "../../src/processes/end_watch.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { loadConfig, systemHost } from "../../src/config/load.ts";

const PACKAGING = join(ROOT, "packaging");

function read(name: string): string {
  return readFileSync(join(PACKAGING, name), "utf8");
}

test("the unit of a shard is the unit, with the names of the shard", () => {
  const shard = read("systemd/varta-watch.service")
    .replace("Description=Process health observer", "Description=Process health observer, shard %i")
    .replace("/etc/varta/varta.toml", "/etc/varta/%i.toml")
    .replace("varta-watch reload\n", "varta-watch reload --control /run/varta-%i/control.sock\n")
    .replace("RuntimeDirectory=varta", "RuntimeDirectory=varta-%i")
    .replace("StateDirectory=varta", "StateDirectory=varta/%i")
    .replace("LogsDirectory=varta", "LogsDirectory=varta/%i")
    .replace("WorkingDirectory=/var/lib/varta", "WorkingDirectory=/var/lib/varta/%i");
  expect(read("systemd/varta-watch@.service")).toBe(shard);
});

test("the units give the daemon one capability at most, and promise nothing that it has not got", () => {
  const unit = read("systemd/varta-watch.service");
  expect(unit.match(/^(CapabilityBoundingSet|AmbientCapabilities)=.*$/gm)).toEqual([
    "CapabilityBoundingSet=CAP_SYS_PTRACE",
    "AmbientCapabilities=CAP_SYS_PTRACE",
  ]);
  expect(unit).toMatch(/^NoNewPrivileges=yes$/m);
  expect(unit).toMatch(/^Type=notify$/m);
  expect(unit).toMatch(/^RestartPreventExitStatus=78$/m);
  expect(unit).toMatch(/^ExecReload=\/usr\/bin\/varta-watch reload$/m);
  // Debian 12 takes notify-reload for Type=simple, and where it is known it reports no failure.
  expect(unit).not.toMatch(/^(ExecStartPre|FileDescriptorStorePreserve|Type=notify-reload)/m);
});

test("the units keep the sockets of the daemon over a restart, and their directory", () => {
  const unit = read("systemd/varta-watch.service");
  const stored = Number(/^FileDescriptorStoreMax=([0-9]+)$/m.exec(unit)?.[1]);
  // The control socket is one more, and a reload makes new ones before it gives up the old.
  expect(stored).toBeGreaterThanOrEqual(2 * (LISTENERS_MAX + 1));
  expect(unit).toMatch(/^RuntimeDirectoryPreserve=restart$/m);
  // The service manager adds up to 250 ms.
  expect(unit).toMatch(/^RestartSec=20ms$/m);
  expect(unit).toMatch(/^RestartSteps=5\nRestartMaxDelaySec=10s$/m);
});

test("the socket unit makes the socket of the shipped configuration, and attests its senders", async () => {
  const unit = read("systemd/varta-watch.socket");
  const configFile = join(PACKAGING, "varta.toml");
  const loaded = await loadConfig({ configFile, given: [], host: systemHost() });
  if (!loaded.ok) throw new Error("it has faults");
  const [listener] = loaded.config.listeners;
  if (listener?.kind !== "unix") throw new Error("it has no Unix listener");
  expect(unit).toContain(`\nListenDatagram=${listener.path}\n`);
  expect(unit).toContain(`\nSocketMode=0${listener.mode.toString(8)}\n`);
  expect(unit).toMatch(/^PassCredentials=yes$/m);
  expect(unit).toMatch(/^RemoveOnStop=no$/m);
});

test("the units give the daemon a descriptor for each process, and those that others need", async () => {
  const unit = read("systemd/varta-watch.service");
  const openFilesMax = Number(/^LimitNOFILE=([0-9]+)$/m.exec(unit)?.[1]);
  const configFile = join(PACKAGING, "varta.toml");
  const loaded = await loadConfig({ configFile, given: [], host: systemHost() });
  if (!loaded.ok) throw new Error("it has faults");
  const { pidfdsMax } = loaded.config.tracker;
  const watch = new EndWatch({
    processes: new ProcReader(),
    pidfdsMax,
    openFilesMax,
    kernelTells: true,
  });
  expect(watch.capacity).toBe(pidfdsMax);
  watch.close();
});

test("the shipped configuration has no fault", async () => {
  const configFile = join(PACKAGING, "varta.toml");
  const loaded = await loadConfig({ configFile, given: [], host: systemHost() });
  expect(loaded.ok).toBe(true);
});

test("every file of the list exists, and both formats install the same program", () => {
  for (const format of ["deb", "rpm"] as const) {
    const files = mappedFiles(format);
    expect(files.length).toBeGreaterThan(20);
    for (const { source, destination, mode } of files) {
      if (!/^(@|dist\/)/.test(source))
        expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
      expect(mode).toBe(destination.startsWith("/usr/bin/") ? 0o755 : 0o644);
    }
    const destinations = files.map(({ destination }) => destination);
    expect(new Set(destinations).size).toBe(destinations.length);
  }
});

test("no log rotation is shipped: the audit log rotates itself, and so does the export file", () => {
  const files = [...mappedFiles("deb"), ...mappedFiles("rpm")];
  expect(files.filter(({ destination }) => destination.includes("logrotate"))).toEqual([]);
});
