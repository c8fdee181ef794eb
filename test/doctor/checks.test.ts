// Each finding of doctor is made, and its check finds it; without it the check has nothing to say.
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { SOCK_DGRAM } from "../../ffi/constants.ts";
import { clockIsSynchronized } from "../../ffi/clock_state.ts";
import { check as checked } from "../../ffi/errno.ts";
import { bind, close, openSocket, unixAddress } from "../../ffi/socket.ts";
import { findUnit } from "../../src/config/checks/unit_file.ts";
import type { Check } from "../../src/doctor/check.ts";
import { timeSyncFinding } from "../../src/doctor/checks/clocks.ts";
import { CHECKS, findingsOf, runChecks } from "../../src/doctor/checks.ts";
import type { Place } from "../../src/doctor/place.ts";
import { polkitRule, restartedUnits } from "../../src/doctor/polkit_rule.ts";
import type { DoctorView } from "../../src/view/doctor_view.ts";
import { NO_OTHER_USERS } from "../support/other_users.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "../support/until.ts";
import { daemonSeen, findingOf, memberAt, ownFacts, placeOf } from "./harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const LOCAL = '[[listener]]\nkind = "unix"\nname = "local"\npath = "DIR/varta.sock"\n';
const asSomebody = test.skipIf(NO_OTHER_USERS !== "");

let directory: TemporaryDirectory;
const opened: number[] = [];
const children: Bun.Subprocess[] = [];

beforeEach(() => {
  directory = new TemporaryDirectory();
});

afterEach(async () => {
  for (const fd of opened.splice(0)) close(fd);
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  directory[Symbol.dispose]();
});

function checkNamed(name: string): Check {
  return CHECKS.find((one) => one.name === name)!;
}

function look(name: string, place: Place) {
  return findingOf(checkNamed(name), place);
}

function place(text = LOCAL, other: Partial<Place> = {}): Promise<Place> {
  return placeOf(directory, text, other);
}

/** A file below the directory, with those above it. */
function file(path: string, text: string): void {
  const at = directory.at(path);
  mkdirSync(at.slice(0, at.lastIndexOf("/")), { recursive: true });
  writeFileSync(at, text);
}

function bound(path: string): number {
  const address = unixAddress(path);
  const fd = checked(openSocket(address.family, SOCK_DGRAM), "open a socket");
  checked(bind(fd, address), "bind");
  opened.push(fd);
  return fd;
}

/** A process that has become what `argv` says, told by the line that it prints. */
async function running(...argv: readonly string[]): Promise<number> {
  const script = "echo here; exec sleep 60";
  const child = Bun.spawn([...argv, "sh", "-c", script], { stdout: "pipe", stdin: "ignore" });
  children.push(child);
  await child.stdout.getReader().read();
  await until(
    "it sleeps",
    async () => (await Bun.file(`/proc/${child.pid}/comm`).text()) === "sleep\n",
  );
  return child.pid;
}

describe("queue_length", () => {
  async function found(length: number, expect_: number, members = 0, beatsPerS = 0) {
    file("proc/sys/net/unix/max_dgram_qlen", `${length}\n`);
    const rule = `${LOCAL}[[agent]]\nname = "a"\nmatch = { comm = "a" }\nexpect = ${expect_}\n`;
    const daemon = daemonSeen([{ memberCount: members, beatsPerS }]);
    return look("queue_length", await place(rule, { proc: directory.at("proc"), daemon }));
  }

  test("is a fault where all members at once have no room", async () => {
    expect(await found(10, 1, 68)).toMatchObject({
      severity: "fault",
      found: "The receive queue holds 10 beats; 68 members may send at once.",
    });
    expect(await found(68, 1, 68)).toMatchObject({ severity: "advice" });
    expect((await found(10, 40))?.found).toContain("40 expected members may send at once");
  });

  test("is a fault where the beats of a restart have none, and says how much it takes", async () => {
    const finding = await found(512, 1, 100, 2_000);
    expect(finding?.found).toBe(
      "The receive queue holds 512 beats; 800 come while a restart takes 400ms.",
    );
    expect(JSON.stringify(finding?.fix)).toContain("max_dgram_qlen=1024");
    expect(await found(1_024, 1, 100, 2_000)).toBeUndefined();
  });
});

describe("queue_length of a daemon that says what its sockets hold", () => {
  async function found(holds: number, full: number, setting: number) {
    file("proc/sys/net/unix/max_dgram_qlen", `${setting}\n`);
    const queues = [{ listener: "local", path: "/x", holds, full }];
    const own = ownFacts({ queues });
    const daemon = daemonSeen([{ memberCount: 20 }], { own });
    return look("queue_length", await place(LOCAL, { proc: directory.at("proc"), daemon }));
  }

  test("is that of the sockets, which a setting does not change any more", async () => {
    expect(await found(10, 0, 512)).toMatchObject({
      severity: "fault",
      fix: { run: ["systemctl restart varta-watch"] },
    });
    expect(await found(512, 0, 512)).toBeUndefined();
  });

  test("is a fault where one was found full, whatever it holds", async () => {
    expect(await found(512, 3, 512)).toMatchObject({
      severity: "fault",
      found: "The receive queue holds 512 beats; it was found full 3 times.",
    });
    expect(JSON.stringify(await found(512, 3, 512))).toContain("max_dgram_qlen=1024");
  });
});

describe("socket_path", () => {
  test("finds a socket whose file is gone, or belongs to nobody", async () => {
    const at = await place(LOCAL, { daemon: daemonSeen() });
    const path = directory.at("varta.sock");
    const fd = bound(path);
    expect(await look("socket_path", at)).toBeUndefined();
    rmSync(path);
    expect(await look("socket_path", at)).toMatchObject({ severity: "fault" });
    const other = bound(path);
    expect(await look("socket_path", at)).toBeUndefined();
    opened.splice(opened.indexOf(other), 1);
    close(other);
    expect((await look("socket_path", at))?.found).toContain(path);
    expect(fd).toBeGreaterThan(2);
  });
});

describe("who may send", () => {
  const RULE = `${LOCAL}[[agent]]\nname = "a"\nmatch = { user = "nobody" }\n`;

  test("finds a user of a rule whom the socket, or a directory above it, does not let in", async () => {
    const at = await place(RULE);
    const path = directory.at("varta.sock");
    bound(path);
    chmodSync(path, 0o660);
    expect(await look("who_cannot_send", at)).toMatchObject({
      severity: "fault",
      found: `1 sender of rules may not send to ${path}: nobody.`,
    });
    chmodSync(path, 0o662);
    expect(await look("who_cannot_send", at)).toBeUndefined();
    chmodSync(directory.path, 0o700);
    expect(await look("who_cannot_send", at)).toBeDefined();
  });

  test("finds a unit of a rule by the user that it runs as, and groups that it is given", async () => {
    const text = `${LOCAL}[[agent]]\nname = "w"\nmatch = { unit = "worker@3.service" }\n`;
    const at = await place(text, { unitDirectories: [directory.at("units")] });
    const path = directory.at("varta.sock");
    bound(path);
    chmodSync(path, 0o660);
    expect(await look("who_cannot_send", at)).toBeUndefined();
    file("units/worker@.service", "[Service]\nUser=nobody\n");
    expect((await look("who_cannot_send", at))?.found).toBe(
      `1 sender of rules may not send to ${path}: worker@3.service (user nobody).`,
    );
    const group = `${statSync(path).gid}`;
    file("units/worker@.service.d/g.conf", `[Service]\nSupplementaryGroups=${group}\n`);
    expect(await look("who_cannot_send", at)).toBeUndefined();
  });

  test("finds one whom the listener does not list", async () => {
    const at = await place(RULE.replace('sock"\n', 'sock"\nallow_uids = ["root"]\n'));
    bound(directory.at("varta.sock"));
    chmodSync(directory.at("varta.sock"), 0o666);
    expect((await look("who_cannot_send", at))?.fix).toHaveProperty("words");
    expect(await look("who_may_send", at)).toBeUndefined();
  });

  test("advises against a socket for everybody", async () => {
    bound(directory.at("varta.sock"));
    chmodSync(directory.at("varta.sock"), 0o666);
    expect(await look("who_may_send", await place())).toMatchObject({ severity: "advice" });
    chmodSync(directory.at("varta.sock"), 0o660);
    expect(await look("who_may_send", await place())).toBeUndefined();
  });
});

describe("sandbox", () => {
  async function found(...settings: readonly string[]) {
    const text = ["[Service]", "User=root", ...settings, "ExecStart=/x -c /y", ""].join("\n");
    file("units/varta-watch.service", text);
    const unit = findUnit(undefined, [directory.at("units")]);
    const udp = '[[listener]]\nkind = "udp"\nname = "u"\nport = 7878\naccept_plaintext = true\n';
    return look("sandbox", await place(LOCAL + udp, { unit }));
  }

  test.each([
    ["MemoryDenyWriteExecute=yes", "fault"],
    ["PrivateUsers=yes", "fault"],
    ["PrivatePIDs=yes", "fault"],
    ["RestrictAddressFamilies=AF_INET", "fault"],
    ["PrivateNetwork=yes", "fault"],
    ["ProcSubset=pid", "warning"],
    ["CPUQuota=20%", "warning"],
  ] as const)("finds %s", async (setting, severity) => {
    const finding = await found(setting);
    expect(finding).toMatchObject({ severity });
    expect(finding?.found).toBe(`The unit varta-watch.service has ${setting}.`);
  });

  test("takes the last word of a setting, and all lines of a list", async () => {
    expect(await found("MemoryDenyWriteExecute=no", "MemoryDenyWriteExecute=yes")).toBeDefined();
    expect(await found("PrivateUsers=yes", "PrivateUsers=no")).toBeUndefined();
    const families = (...lines: readonly string[]) =>
      found(...lines.map((line) => `RestrictAddressFamilies=${line}`));
    expect(await families("AF_UNIX AF_INET", "AF_INET6")).toBeUndefined();
    expect(await families("~AF_PACKET")).toBeUndefined();
    expect(await families("AF_UNIX AF_INET", "~AF_INET AF_UNIX")).toBeDefined();
    expect(await families("none")).toBeDefined();
  });

  test("finds sockets in a /tmp that is the daemon's own, and says no other cure", async () => {
    file("units/varta-watch.service", "[Service]\nPrivateTmp=yes\nExecStart=/x -c /y\n");
    const unit = findUnit(undefined, [directory.at("units")]);
    const text = LOCAL.replace("DIR", "/tmp/no-such-directory");
    const at = await place(text, { unit, daemon: daemonSeen() });
    expect(await look("sandbox", at)).toMatchObject({ severity: "fault" });
    expect(await look("socket_path", at)).toBeUndefined();
    const elsewhere = await place(text.replace("/tmp/", "/run/"), { unit, daemon: daemonSeen() });
    expect(await look("sandbox", elsewhere)).toBeUndefined();
    expect(await look("socket_path", elsewhere)).toBeDefined();
  });

  test("has nothing to say of the unit that is shipped", async () => {
    const unit = findUnit(undefined, [`${import.meta.dir}/../../packaging/systemd`]);
    const at = await place(LOCAL.replace("DIR", "/run/varta"), { unit });
    expect(await look("sandbox", at)).toBeUndefined();
  });
});

test("capacity warns before the table is full", async () => {
  const text = `${LOCAL}[tracker]\ncapacity = 100\n`;
  const found = async (memberCount: number) =>
    (await look("capacity", await place(text, { daemon: daemonSeen([{ memberCount }]) })))
      ?.severity;
  expect(await found(89)).toBeUndefined();
  expect(await found(90)).toBe("warning");
  expect(await found(100)).toBe("fault");
});

test("capacity says how a table of each size grows", async () => {
  const fix = async (capacity: number) => {
    const daemon = daemonSeen([{ memberCount: capacity }]);
    const at = await place(`${LOCAL}[tracker]\ncapacity = ${capacity}\n`, { daemon });
    return (await look("capacity", at))?.fix;
  };
  expect(await fix(32_768)).toEqual({ words: "tracker.capacity = 65536, then varta-watch reload" });
  expect(await fix(32_769)).toEqual({
    words: "tracker.capacity = 65538, then systemctl restart varta-watch",
  });
});

test("memory_limit finds a control group without room", async () => {
  const status = async (kib: number, max: string) => {
    file(`proc/${process.pid}/cgroup`, "0::/w.service\n");
    file(`proc/${process.pid}/status`, `VmRSS:\t${kib} kB\n`);
    file("sys/fs/cgroup/w.service/memory.max", `${max}\n`);
    const roots = { proc: directory.at("proc"), sys: directory.at("sys") };
    return (await look("memory_limit", await place(LOCAL, { ...roots, daemon: daemonSeen() })))
      ?.severity;
  };
  expect(await status(50_000, "max")).toBeUndefined();
  expect(await status(50_000, "100000000")).toBe("warning");
  expect(await status(97_000, "100000000")).toBe("fault");
});

test("descriptors finds a limit that is below the members", async () => {
  const pid = await running("sh", "-c", 'ulimit -n 600; exec "$@"', "-");
  const found = async (memberCount: number) =>
    look("descriptors", await place(LOCAL, { daemon: daemonSeen([{ memberCount }], { pid }) }));
  expect(await found(89)).toMatchObject({ severity: "warning" });
  expect((await found(89))?.found).toBe("There are descriptors for 88 of 89 members.");
  expect(await found(88)).toMatchObject({ severity: "advice" });
});

test("descriptors and queue_length know of a stream listener", async () => {
  const pid = await running("sh", "-c", 'ulimit -n 9000; exec "$@"', "-");
  const stream = LOCAL.replace('"unix"', '"unix-stream"');
  const of = async (text: string) =>
    look("descriptors", await place(text, { daemon: daemonSeen([{ memberCount: 297 }], { pid }) }));
  expect((await of(stream))?.found).toBe("There are descriptors for 296 of 297 members.");
  expect(await of(LOCAL)).toMatchObject({ severity: "advice" });
  file("proc/sys/net/unix/max_dgram_qlen", "10\n");
  const proc = directory.at("proc");
  // What could be short is a queue of datagrams.
  const alone = look("queue_length", await place(stream, { proc }));
  await expect(alone).rejects.toThrow("a listener for datagrams");
});

test("two findings about the unit do not undo each other", async () => {
  file("units/varta-watch.service", "[Service]\nPrivateUsers=yes\nExecStart=/x -c /y\n");
  const unit = findUnit(undefined, [directory.at("units")]);
  const fix = (await look("sandbox", await place(LOCAL, { unit })))?.fix;
  const [, write] = (fix as { run: string[] }).run;
  const own = write!.replaceAll("/etc/systemd/system/varta-watch.service.d", directory.path);
  for (const line of [own, own.replace("PrivateUsers", "ProcSubset")])
    expect(Bun.spawnSync(["sh", "-c", line]).exitCode).toBe(0);
  expect(readFileSync(directory.at("zz-doctor.conf"), "utf8")).toBe(
    "[Service]\nPrivateUsers=no\n[Service]\nProcSubset=no\n",
  );
});

describe("what the daemon may do", () => {
  asSomebody(`hidden_processes finds a /proc that hides them${NO_OTHER_USERS}`, async () => {
    const mount = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"';
    const somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const pid = await running("unshare", "-m", "sh", "-c", mount, "-", ...somebody);
    const text = `${LOCAL}[recovery]\ncommand = ["/bin/true"]\n`;
    const of = (one: number) => ({ daemon: daemonSeen([], { pid: one }) });
    expect(await look("hidden_processes", await place(text, of(pid)))).toMatchObject({
      severity: "fault",
      found: "For the daemon /proc hides the processes of other users (hidepid=invisible).",
    });
    expect(await look("hidden_processes", await place(LOCAL, of(pid)))).toMatchObject({
      severity: "warning",
    });
    expect(await look("hidden_processes", await place(text, of(process.pid)))).toBeUndefined();
  });

  asSomebody(`signals finds members that it may not signal${NO_OTHER_USERS}`, async () => {
    const text = `${LOCAL}[[recovery.plan]]\nname = "quit"\nstep = [{ signal = "SIGQUIT" }]\n`;
    const member = await running("setpriv", "--reuid=65534", "--clear-groups");
    const bare = await running("setpriv", "--bounding-set=-kill", "--inh-caps=-kill");
    const agents = [{ plan: "quit", members: [memberAt(member)] }];
    const of = (pid: number) => ({ daemon: daemonSeen(agents, { pid }) });
    expect(await look("signals", await place(text, of(bare)))).toMatchObject({
      severity: "warning",
      found: "Plan quit may not signal 1 member: the daemon has no CAP_KILL.",
      effect: "They are processes of nobody. The step would be refused.",
    });
    expect(await look("signals", await place(text, of(process.pid)))).toBeUndefined();
  });
});

describe("polkit", () => {
  const TEXT =
    `${LOCAL}[[recovery.plan]]\nname = "restart"\n` +
    'step = [{ restart_unit = "auto" }, { restart_unit = "db.service" }]\n';
  const AGENTS = [
    { plan: "restart", members: [memberAt(1, "app.service"), memberAt(2, "dana:own.service")] },
  ];

  test("prints a rule for the units of plans and of their members, and for no other", async () => {
    const { config } = await place(TEXT);
    const units = restartedUnits(config!, daemonSeen(AGENTS));
    expect(units).toEqual([{ plan: "restart", units: ["app.service", "db.service"] }]);
    const rules: ((action: object, subject: object) => unknown)[] = [];
    const polkit = {
      Result: { YES: "yes" },
      addRule: (rule: (typeof rules)[number]) => rules.push(rule),
    };
    new Function("polkit", polkitRule(units[0]!.units, "varta"))(polkit);
    const ask = (unit: string, verb = "restart", user = "varta", id = "manage-units") =>
      rules[0]!(
        { id: `org.freedesktop.systemd1.${id}`, lookup: (key: string) => ({ unit, verb })[key] },
        { user },
      );
    expect([ask("app.service"), ask("db.service")]).toEqual(["yes", "yes"]);
    const refused = [
      ask("sshd.service"),
      ask("app.service", "stop"),
      ask("app.service", "restart", "dana"),
      ask("app.service", "restart", "varta", "manage-unit-files"),
    ];
    expect(refused).toEqual([undefined, undefined, undefined, undefined]);
  });

  describe("asks it", () => {
    const before = process.env["PATH"];

    afterEach(() => {
      process.env["PATH"] = before;
    });

    /** pkcheck(1) is a script: what it is asked can be seen, and no bus is needed. */
    async function asked(script: string | undefined) {
      const bin = directory.at("bin");
      mkdirSync(bin);
      if (script !== undefined) {
        writeFileSync(`${bin}/pkcheck`, `#!/bin/sh\n${script}\n`);
        chmodSync(`${bin}/pkcheck`, 0o755);
      }
      const varta = { daemon: daemonSeen(AGENTS, { uid: 998, pid: 812 }), isRoot: true };
      const at = await place(TEXT, varta);
      process.env["PATH"] = bin;
      return checkNamed("polkit").run(at);
    }

    test("about each unit, as systemd asks for the daemon", async () => {
      const action = "--action-id org.freedesktop.systemd1.manage-units --process 812";
      const detail = "--detail unit db.service --detail verb restart";
      const result = await asked(`[ "$*" = "${action} ${detail}" ]`);
      expect(result).toMatchObject({
        finding: {
          severity: "warning",
          found: "Plan restart cannot restart 1 of its 2 units: polkit has no rule.",
          effect: "app.service. A recovery would be refused.",
        },
      });
    });

    test("and has nothing to say where all is allowed", async () => {
      expect((await asked("exit 0")).result).toBe("passed");
    });

    test("and leaves it out where polkit does not answer", async () => {
      expect(await asked("exit 127")).toMatchObject({ needs: "an answer of polkit" });
    });

    test("and says so where there is none", async () => {
      const result = await asked(undefined);
      const found = "Plan restart cannot restart 2 of its 2 units: there is no polkit.";
      expect(result).toMatchObject({ finding: { found } });
    });
  });

  test("is not asked where nothing is restarted, or root restarts it", async () => {
    const nothing = await checkNamed("polkit").run(await place());
    expect(nothing.result).toBe("not_asked");
    const root = { daemon: daemonSeen(AGENTS, { uid: 0 }), isRoot: true };
    expect(await look("polkit", await place(TEXT, root))).toBeUndefined();
    const stranger = { daemon: daemonSeen(AGENTS, { uid: 998 }), isRoot: false };
    const result = await checkNamed("polkit").run(await place(TEXT, stranger));
    expect(result).toMatchObject({ result: "left_out", needs: "root" });
  });
});

test("space finds a file system without room", async () => {
  if (process.geteuid!() !== 0) return;
  const small = directory.at("small");
  mkdirSync(small);
  const mount = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small]);
  expect(mount.exitCode).toBe(0);
  try {
    const at = await place(`${LOCAL}[export]\nfile = "DIR/small/events.tsv"\n`);
    expect(await look("space", at)).toMatchObject({ severity: "warning" });
    writeFileSync(`${small}/full`, Buffer.alloc(1_500_000));
    expect(await look("space", at)).toMatchObject({ severity: "fault" });
  } finally {
    Bun.spawnSync(["umount", small]);
  }
});

describe("alerts", () => {
  async function found(body: string, status = 200) {
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(body, { status }),
    });
    const finding = await look("alerts", await place(LOCAL, { prometheus: server.url.href }));
    return finding?.found.replace(server.url.host, "HOST");
  }

  test("finds a Prometheus without rules about agents", async () => {
    const rules = (query: string) =>
      JSON.stringify({ status: "success", data: { groups: [{ rules: [{ query }] }] } });
    expect(await found(rules("up == 0"))).toBe(
      "Prometheus (HOST) does not load the rules of varta-watch.",
    );
    expect(await found(rules("varta_agent_stalled > 0"))).toBeUndefined();
  });

  test("says why Prometheus does not tell", async () => {
    expect(await found("", 503)).toBe(
      "Prometheus (HOST) does not say which rules it has: HTTP 503.",
    );
    expect(await found("<html>")).toContain("it cannot be asked");
    expect(await found("x".repeat(9_000_000))).toContain("it cannot be asked");
  });
});

describe("clocks", () => {
  test("a boot time that goes on in a suspended machine is pointed out", async () => {
    const text = `${LOCAL}[observer]\nclock_source = "boottime"\n`;
    expect(await look("clock_source", await place(text))).toMatchObject({ severity: "advice" });
    expect(await look("clock_source", await place())).toBeUndefined();
  });

  test("a slow clock source of the kernel is named", async () => {
    const of = async (source: string) => {
      file("sys/devices/system/clocksource/clocksource0/current_clocksource", `${source}\n`);
      return (await look("kernel_clock", await place(LOCAL, { sys: directory.at("sys") })))?.found;
    };
    expect(await of("hpet")).toBe("The kernel takes its time from hpet.");
    expect(await of("tsc")).toBeUndefined();
  });
});

describe("time_sync", () => {
  const NOT = { isSynchronized: false, isContainer: false, services: [] };

  test("enables what is installed, and names what can be where nothing is", async () => {
    const found = "The clock of this machine is not synchronized.";
    expect(timeSyncFinding(NOT)).toMatchObject({
      severity: "advice",
      found,
      fix: { words: "install chrony or systemd-timesyncd" },
    });
    expect(timeSyncFinding({ ...NOT, services: ["chrony.service"] })?.fix).toEqual({
      run: ["systemctl enable --now chrony.service"],
    });
    expect(timeSyncFinding({ ...NOT, isContainer: true })?.fix).toHaveProperty("words");
    expect(timeSyncFinding({ ...NOT, isSynchronized: true })).toBeUndefined();
  });

  test("holds what the kernel of this machine says", async () => {
    const finding = await look("time_sync", await place());
    expect(finding === undefined).toBe(clockIsSynchronized() === true);
  });
});

test("daemon starts the unit of one that is down, and of one that hangs says what it is told", async () => {
  file("units/varta-watch@a.service", "[Service]\nExecStart=/x --config /etc/varta/a.toml\n");
  const unit = findUnit("/etc/varta/a.toml", [directory.at("units")]);
  const silence = { error: "it is down", hint: "gdb -p 7", isRefusal: false, isDown: true };
  const fix = async (other: object) =>
    (await look("daemon", await place(LOCAL, { silence: { ...silence, ...other }, unit })))?.fix;
  expect(await fix({})).toMatchObject({
    run: ["systemctl start varta-watch@a.service", "systemctl status varta-watch@a.service"],
  });
  expect(await fix({ isDown: false })).toEqual({ words: "gdb -p 7" });
});

describe("rules", () => {
  const NONE = { count: 2, idle: [], idle_count: 0, without: [], without_count: 0 };
  const saying = async (name: string, rules: object, up_s = 600) => {
    const own = ownFacts({ rules: { ...NONE, ...rules } });
    const observer = { ...daemonSeen().observer, up_s };
    return checkNamed(name).run(await place(LOCAL, { daemon: daemonSeen([], { own, observer }) }));
  };

  test("members without one are named, with one of them that can be explained", async () => {
    const without = [
      { agent: "far", pid: null },
      { agent: "sleep", pid: 7 },
    ];
    expect(await saying("unnamed_agents", { without, without_count: 9 })).toMatchObject({
      finding: {
        severity: "advice",
        found: "9 agents have no rule: far, sleep and 6 more.",
        fix: { words: expect.stringContaining("check --explain 7 ") },
      },
    });
    expect(await saying("unnamed_agents", {})).toMatchObject({ result: "passed" });
    const count = { count: 0, without, without_count: 2 };
    expect(await saying("unnamed_agents", count)).toMatchObject({ result: "not_asked" });
  });

  test("those that took nobody are named, as soon as that says something", async () => {
    const idle = { idle: ["db ([[agent]] 2)"], idle_count: 1 };
    expect(await saying("idle_rules", idle)).toMatchObject({
      finding: { found: "1 rule of 2 has taken no member: db ([[agent]] 2)." },
    });
    expect(await saying("idle_rules", idle, 599)).toMatchObject({ result: "left_out" });
    expect(await saying("idle_rules", {})).toMatchObject({ result: "passed" });
    expect(await saying("idle_rules", { count: 0 })).toMatchObject({ result: "not_asked" });
  });
});

test("state_file finds one that is not kept, and none where none is to be", async () => {
  const saying = async (state: DoctorView["state"]) =>
    checkNamed("state_file").run(
      await place(LOCAL, { daemon: daemonSeen([], { own: ownFacts({ state }) }) }),
    );
  const file = "/var/lib/varta/state";
  expect(await saying({ file, problem: "no space is left" })).toMatchObject({
    finding: { found: "The state is not kept in /var/lib/varta/state: no space is left." },
  });
  expect(await saying({ file, problem: null })).toMatchObject({ result: "passed" });
  expect(await saying(null)).toMatchObject({ result: "not_asked" });
});

describe("what the daemon says of itself", () => {
  const saying = async (name: string, observer: object) => {
    const { observer: quiet } = daemonSeen();
    const daemon = daemonSeen([], { observer: { ...quiet, ...observer } });
    return look(name, await place(LOCAL, { daemon }));
  };

  test("more than a tenth of the last minute is a fault", async () => {
    const found = async (paused_in_minute_ms: number) => {
      const daemon = daemonSeen([], { own: ownFacts({ paused_in_minute_ms }) });
      return look("pauses", await place(LOCAL, { daemon }));
    };
    expect(await found(6_000)).toBeUndefined();
    expect(await found(6_100)).toMatchObject({
      severity: "fault",
      found: "The observer was paused for 6.1s of the last minute.",
    });
  });

  test("a self-beat that does not come round is a fault", async () => {
    const state = (word: string) => ({ self_beat: { state: word, took_ms: null } });
    expect(await saying("self_beat", state("missing"))).toMatchObject({ severity: "fault" });
    for (const word of ["ok", "none"])
      expect(await saying("self_beat", state(word))).toBeUndefined();
  });

  test("a guard that is active is a warning, one that is off advice where it would act", async () => {
    const guard = {
      since: "2026-11-28T00:13:04.310Z",
      silent: 14,
      members: 20,
      window_ms: 5_000,
      until: "2026-11-28T00:13:09.310Z",
    };
    expect(await saying("guard", { guard })).toMatchObject({
      severity: "warning",
      found: "14 of 20 members fell silent within 5.0s: the guard holds their stalls.",
    });
    expect(await saying("guard", { guard: false })).toBeUndefined();
    const off = async (memberCount: number, text: string) =>
      look("guard", await place(text + LOCAL, { daemon: daemonSeen([{ memberCount }]) }));
    expect(await off(10, 'guard = "off"\n')).toMatchObject({ severity: "advice" });
    expect(await off(9, 'guard = "off"\n')).toBeUndefined();
    expect(await off(10, "")).toBeUndefined();
  });

  test("a pause, refused beats and an older configuration are findings", async () => {
    const pause = {
      time: "2026-11-28T00:13:04.310Z",
      length_ms: 2_100,
      cause: "the machine was stopped",
    };
    expect(await saying("pauses", { paused_last: pause })).toMatchObject({ severity: "warning" });
    const asleep = { ...pause, is_silence: true };
    expect((await saying("pauses", { paused_last: asleep }))?.effect).toContain(
      'observer.clock_source = "boottime" counts it as silence',
    );
    expect(await saying("last_good", { last_good: "/x:3:1: found ..." })).toMatchObject({
      severity: "fault",
    });
    const refused = {
      count: 30,
      reason: "namespace_mismatch",
      listener: "local",
      claimed_pid: 2,
      pid: 4711,
      in_container: true,
    };
    expect(await saying("refused_beats", { refused })).toMatchObject({
      severity: "warning",
      fix: { words: "containers = true in [[listener]] local" },
    });
    const full = { ...refused, reason: "capacity" };
    expect(await saying("refused_beats", { refused: full })).toBeUndefined();
    for (const name of ["pauses", "refused_beats", "last_good"])
      expect(await saying(name, {})).toBeUndefined();
  });
});

describe("runChecks()", () => {
  test("leaves out what needs the daemon where that does not answer, and goes on", async () => {
    const silence = {
      error: "the daemon on mill-2 is down",
      hint: "",
      isRefusal: false,
      isDown: true,
    };
    const results = await runChecks(await place(LOCAL, { silence }));
    expect(results.map(({ check }) => check)).toEqual(CHECKS.map(({ name }) => name));
    expect(findingsOf(results)[0]?.found).toBe("The daemon on mill-2 is down.");
    const left = results.filter(({ result }) => result === "left_out");
    expect(left.length).toBeGreaterThan(5);
    for (const one of left) expect(one).toMatchObject({ needs: "an answer of the daemon" });
  });

  test("takes a daemon that does not answer this user for none that is down", async () => {
    const silence = { error: "you may not ask", hint: "", isRefusal: true, isDown: false };
    const results = await runChecks(await place(LOCAL, { silence, problems: undefined }));
    const needs = (name: string) => results.find(({ check }) => check === name);
    expect(needs("daemon")).toMatchObject({ needs: "root, or the group of the control socket" });
    expect(needs("configuration")).toMatchObject({ needs: "root" });
    expect(findingsOf(results).filter(({ severity }) => severity === "fault")).toEqual([]);
  });

  test("leaves out what needs a configuration where that has problems, and says which", async () => {
    const broken = { ...(await place()), config: undefined, problems: ["/x:1:1: found rubbish"] };
    const results = await runChecks(broken);
    expect(findingsOf(results)).toContainEqual(
      expect.objectContaining({ severity: "fault", effect: "/x:1:1: found rubbish." }),
    );
    expect(results).toContainEqual({
      check: "who_may_send",
      result: "left_out",
      needs: "a configuration that can be read and has no problems",
    });
  });

  test("puts faults before warnings and these before advice, else as the checks stand", () => {
    const of = (severity: "fault" | "warning" | "advice", found: string) =>
      ({
        check: found,
        result: "found",
        finding: { severity, found, effect: "", fix: { words: "" } },
      }) as const;
    const results = [of("advice", "a"), of("warning", "b"), of("fault", "c"), of("warning", "d")];
    expect(findingsOf(results).map(({ found }) => found)).toEqual(["c", "b", "d", "a"]);
  });
});
