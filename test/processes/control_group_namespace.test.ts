// Where real processes are, in real control groups and in namespaces of them: the daemon goes by
// the path that it sees, whatever a process sees of itself (spec 05 section 5.3).
import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { ControlGroup, NEEDS_CONTROL_GROUPS } from "../support/control_group.ts";

const ID = "0123456789abcdef".repeat(4);
const SLICE = `/varta-test-${process.pid}.slice`;

const reason =
  NEEDS_CONTROL_GROUPS || (Bun.which("unshare") === null ? " (skipped: there is no unshare)" : "");

const CASES = [
  [`${SLICE}/worker@3.service`, "worker@3.service", ""],
  [`${SLICE}/worker@3.service/sshd.service`, "worker@3.service", ""],
  [`${SLICE}/docker-${ID}.scope`, "", `docker-${ID}`],
  [`${SLICE}/libpod-${ID}.scope/container`, "", `libpod-${ID}`],
] as const;

test.skipIf(reason !== "").each(CASES)(
  `a process in %s, which sees itself at the root of its own namespace, is where it is${reason}`,
  async (path, unit, container) => {
    await using group = new ControlGroup(path);
    // It says where it is for itself, and waits for the end of its input.
    const inner = ["unshare", "--cgroup", "sh", "-c", "grep '^0::' /proc/self/cgroup; cat"];
    const [program, ...args] = [...group.through, ...inner];
    const child = spawn(program!, args);
    try {
      const [own] = (await once(child.stdout, "data")) as [Buffer];
      expect(String(own)).toBe("0::/\n");
      const pid = child.pid!;
      const reader = new ProcReader();
      const found = reader.identityOf(pid, reader.startTime(pid), 0, 0, 0);
      expect(found).toMatchObject({ unit, container, unitUser: "" });
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  },
);

test.skipIf(reason !== "")(
  `a daemon in a namespace of its own takes nobody above it for a service${reason}`,
  async () => {
    await using service = new ControlGroup(`${SLICE}/sshd.service`);
    await using own = new ControlGroup(`${SLICE}/daemon.service`);
    const module = resolve(import.meta.dir, "../../src/processes/proc_reader.ts");
    const agent = spawn(service.through[0]!, [...service.through.slice(1), "cat"]);
    try {
      agent.stdin.write("there\n");
      await once(agent.stdout, "data");
      const script = `
        const { ProcReader } = await import(${JSON.stringify(module)});
        const reader = new ProcReader();
        const placed = (pid) => {
          const { unit, container } = reader.identityOf(pid, reader.startTime(pid), 0, 0, 0);
          return [unit, container];
        };
        console.log(JSON.stringify([placed(${agent.pid}), placed(process.pid)]));
      `;
      const bun = ["unshare", "--cgroup", process.execPath, "-e", script];
      const { stdout } = Bun.spawnSync([...own.through, ...bun], { stderr: "inherit" });
      expect(JSON.parse(stdout.toString())).toEqual([
        ["", ""],
        ["", ""],
      ]);
    } finally {
      agent.kill("SIGKILL");
      await once(agent, "close");
    }
  },
);
