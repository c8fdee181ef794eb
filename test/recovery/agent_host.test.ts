// Signals, units and successors of real processes: nothing is ever done to a process by its bare
// pid.
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import {
  BlindAgentHost,
  HOLDER_HIDDEN,
  HOLDER_NONE,
  HOLDER_SHOWN,
  SystemAgentHost,
} from "../../src/recovery/agent_host.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { until } from "./harness.ts";
import { commandOf, isGone, stateOf } from "./real_harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const IS_LINUX = process.platform === "linux";
const [SIGKILL, SIGTERM] = [9, 15];

const children: Bun.Subprocess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

async function sleeper(): Promise<{ child: Bun.Subprocess; pid: number; generation: number }> {
  const child = Bun.spawn(["sleep", "60"]);
  children.push(child);
  const { pid } = child;
  await until("exec of sleep", () => readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n");
  return { child, pid, generation: new ProcReader().startTime(pid) };
}

function hostOf(beating: (pid: number, generation: number) => boolean = () => false) {
  return new SystemAgentHost(new ProcReader(), beating);
}

describe.if(IS_LINUX)("SystemAgentHost.signal()", () => {
  test("reaches the process of the generation", async () => {
    const { child, pid, generation } = await sleeper();
    expect(hostOf().signal(pid, generation, SIGTERM)).toBeUndefined();
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
  });

  test("ends a process that is stopped, with SIGKILL", async () => {
    const { child, pid, generation } = await sleeper();
    child.kill("SIGSTOP");
    await until("the process to stop", () => stateOf(pid) === "T");
    expect(hostOf().signal(pid, generation, SIGKILL)).toBeUndefined();
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
  });

  test("leaves the next owner of a pid alone, and says so", async () => {
    const { child, pid, generation } = await sleeper();
    for (const other of [generation - 1, generation + 1]) {
      expect(hostOf().signal(pid, other, SIGKILL)?.text).toBe("its pid belongs to another process");
    }
    expect(hostOf().signal(pid, NaN, SIGKILL)?.text).toBe("its start time is unknown");
    expect([child.exitCode, isGone(pid)]).toEqual([null, false]);
  });

  test("says that a process is gone", async () => {
    const { child, pid, generation } = await sleeper();
    child.kill("SIGKILL");
    await child.exited;
    expect(hostOf().signal(pid, generation, SIGTERM)?.text).toBe("left out, the process is gone");
  });

  // The start time is read after the descriptor was opened: a process that takes the pid in between
  // is not hit.
  test("does not reach a process that took the pid over between the two looks", async () => {
    const { child, pid, generation } = await sleeper();
    const order: string[] = [];
    const processes = new ProcReader();
    processes.startTime = () => {
      order.push("read");
      child.kill("SIGKILL");
      return generation;
    };
    const host = new SystemAgentHost(processes, () => false);
    await until("the process to be there", () => stateOf(pid) === "S");
    const said = host.signal(pid, generation, SIGTERM);
    await child.exited;
    expect(order).toEqual(["read"]);
    expect([undefined, "left out, the process is gone"]).toContain(said?.text);
    expect(child.signalCode).toBe("SIGKILL");
  });

  test("never reaches the daemon itself", () => {
    const generation = new ProcReader().startTime(process.pid);
    expect(hostOf().signal(process.pid, generation, SIGTERM)?.text).toBe("it is the daemon itself");
  });

  test.if(process.getuid!() === 0 && Bun.which("setpriv") !== null)(
    "says that it may not, for the process of another user (needs root and setpriv)",
    async () => {
      const { pid, generation } = await sleeper();
      const script = `import { SystemAgentHost } from "${join(import.meta.dir, "../../src/recovery/agent_host.ts")}";
        import { ProcReader } from "${join(import.meta.dir, "../../src/processes/proc_reader.ts")}";
        const host = new SystemAgentHost(new ProcReader(), () => false);
        console.log(host.signal(${pid}, ${generation}, 15).text);`;
      const user = ["setpriv", "--reuid=61000", "--regid=61000", "--clear-groups"];
      const run = Bun.spawnSync([...user, process.execPath, "-e", script], {
        env: { HOME: "/tmp" },
      });
      // Where that user cannot read the checkout, there is nothing to test.
      if (run.success) {
        expect(run.stdout.toString()).toBe("EPERM (operation not permitted)\n");
      }
    },
  );
});

describe.if(IS_LINUX)("SystemAgentHost.holderOf()", () => {
  test("is none once the process is gone, and never for one that runs", async () => {
    const { child, pid } = await sleeper();
    expect(hostOf().holderOf(pid)).toBe(HOLDER_SHOWN);
    child.kill("SIGKILL");
    await child.exited;
    expect(hostOf().holderOf(pid)).toBe(HOLDER_NONE);
  });

  test("is one while threads run on, though the first one has ended", async () => {
    const python = Bun.which("python3");
    if (python === null) return;
    const script =
      "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); " +
      "print(flush=True); ctypes.CDLL(None).syscall(ctypes.c_long(EXIT), ctypes.c_long(0))";
    const exitNumber = process.arch === "x64" ? "60" : "93";
    const child = Bun.spawn([python, "-c", script.replace("EXIT", exitNumber)]);
    children.push(child);
    await until("the first thread to end", () => stateOf(child.pid) === "Z");
    expect(hostOf().holderOf(child.pid)).toBe(HOLDER_SHOWN);
  });

  const mount = "mount -t proc -o hidepid=2 proc /proc";
  const canHide =
    process.getuid!() === 0 &&
    Bun.which("setpriv") !== null &&
    Bun.spawnSync(["unshare", "-m", "sh", "-c", mount]).success;

  test.skipIf(!canHide)("is hidden where /proc hides it (needs root and setpriv)", () => {
    const ours = (path: string) => join(import.meta.dir, "../../src", path);
    const script = `import { SystemAgentHost } from "${ours("recovery/agent_host.ts")}";
      import { ProcReader } from "${ours("processes/proc_reader.ts")}";
      console.log(new SystemAgentHost(new ProcReader(), () => false).holderOf(${process.pid}));`;
    const user = "setpriv --reuid=61000 --regid=61000 --clear-groups";
    const run = Bun.spawnSync(
      [
        "unshare",
        "-m",
        "sh",
        "-c",
        `${mount} && exec ${user} "$0" -e "$1"`,
        process.execPath,
        script,
      ],
      { env: { HOME: "/tmp", PATH: "/usr/bin:/bin" } },
    );
    // Where that user cannot read the checkout, there is nothing to test.
    if (run.success) expect(run.stdout.toString()).toBe(`${HOLDER_HIDDEN}\n`);
  });
});

describe.if(IS_LINUX)("SystemAgentHost.isAlive()", () => {
  test("knows a process from the next owner of its pid, and from none", async () => {
    const { child, pid, generation } = await sleeper();
    expect(hostOf().isAlive(pid, generation)).toBe(true);
    expect(hostOf().isAlive(pid, generation + 1)).toBe(false);
    child.kill("SIGKILL");
    await child.exited;
    expect(hostOf().isAlive(pid, generation)).toBe(false);
  });
});

describe.if(IS_LINUX)("SystemAgentHost.isAlive() of a process that nothing waits for", () => {
  test("is false: a zombie does not come back", async () => {
    // The shell starts a child, becomes a program that never waits for it, and only then may the
    // child end: a shell that is still there would take its status.
    const script = "exec 3<&0; read line <&3 & echo $!; exec sleep 60";
    const parent = Bun.spawn(["/bin/sh", "-c", script], { stdin: "pipe", stdout: "pipe" });
    children.push(parent);
    const { value } = await parent.stdout.getReader().read();
    const pid = Number(Buffer.from(value!).toString());
    await until("the shell to be replaced", () => commandOf(parent.pid) === "sleep");
    parent.stdin.write("\n");
    await parent.stdin.flush();
    await until("a zombie", () => stateOf(pid) === "Z");
    const generation = new ProcReader().startTime(pid);
    expect(generation).toBeGreaterThan(0);
    expect(hostOf().isAlive(pid, generation)).toBe(false);
    expect(hostOf().holderOf(pid)).toBe(HOLDER_NONE);
  });
});

describe.if(IS_LINUX)("SystemAgentHost.nowGeneration()", () => {
  test("is on the clock of start times", async () => {
    const before = hostOf().nowGeneration();
    const { generation } = await sleeper();
    expect(generation).toBeWithin(before, hostOf().nowGeneration() + 1);
  });
});

// A control group that systemd could have made, in the hierarchy that is its own.
const CGROUP = "/varta-test.slice/varta-test.service";
const ROOT = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].find((root) =>
  existsSync(join(root, "cgroup.procs")),
);
const canMakeGroups =
  IS_LINUX && process.getuid!() === 0 && ROOT !== undefined && makesGroups(ROOT);

function makesGroups(root: string): boolean {
  try {
    mkdirSync(join(root, "varta-test.slice"));
    rmdirSync(join(root, "varta-test.slice"));
    return true;
  } catch {
    return false;
  }
}

describe.if(canMakeGroups)("A process in the control group of a service (needs root)", () => {
  async function grouped(work: (made: { pid: number; generation: number }) => void): Promise<void> {
    const group = join(ROOT!, CGROUP);
    mkdirSync(group, { recursive: true });
    const { child, pid, generation } = await sleeper();
    try {
      writeFileSync(join(group, "cgroup.procs"), String(pid));
      work({ pid, generation });
    } finally {
      child.kill("SIGKILL");
      await child.exited;
      await until("the group to be empty", () => tryRemove(group));
      rmdirSync(join(ROOT!, "varta-test.slice"));
    }
  }

  test("has the unit, and only in its own generation", async () => {
    await grouped(({ pid, generation }) => {
      expect(hostOf().unitOf(pid, generation)).toEqual({
        name: "varta-test.service",
        cgroup: CGROUP,
      });
      expect(hostOf().unitOf(pid, generation + 1)).toBe("the process is gone");
    });
  });

  test("is a successor if it beats and is young enough", async () => {
    await grouped(({ pid, generation }) => {
      const asked: [number, number][] = [];
      const host = (beats: boolean) =>
        hostOf((one, since) => {
          asked.push([one, since]);
          return beats && generation >= since;
        });
      const unit = { name: "varta-test.service", cgroup: CGROUP };
      expect(host(true).hasSuccessor(unit, generation)).toBe(true);
      expect(host(true).hasSuccessor(unit, generation + 1)).toBe(false);
      expect(host(false).hasSuccessor(unit, generation)).toBe(false);
      expect(asked.every(([one]) => one === pid)).toBe(true);
      expect(host(true).hasSuccessor({ name: "x.service", cgroup: "/x.service" }, 0)).toBe(false);
    });
  });
});

function tryRemove(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

describe.if(IS_LINUX)("A process in no service", () => {
  test("has no unit, and the words say why", async () => {
    const { pid, generation } = await sleeper();
    expect(typeof hostOf().unitOf(pid, generation)).toBe("string");
    expect(hostOf().unitOf(4_000_000, 1)).toBe("the process is gone");
  });
});

test("BlindAgentHost says why it does nothing", () => {
  const host = new BlindAgentHost();
  expect([host.signal().text, host.unitOf(), host.isAlive(), host.hasSuccessor()]).toEqual([
    "this observer cannot signal processes",
    "this observer knows no units",
    true,
    false,
  ]);
  expect(host.nowGeneration()).toBeNaN();
});
