// The first process of a pid namespace, or a subreaper: it starts commands that leave processes
// running, reaps what becomes its child, and prints as JSON how the commands ended and what is
// left. Run by orphan_reaper.test.ts.
import { readdirSync, readFileSync } from "node:fs";
import { ORPHANS, OrphanReaper } from "../../../src/recovery/children/orphan_reaper.ts";
import { PLAIN_SETTING, ProcessRunner } from "../../../src/recovery/children/child_runner.ts";
import { ORPHAN_LOOK_NS } from "../../../src/base/limits.ts";
import { until } from "../harness.ts";

const COUNT = 80;
const LEAVES_TWO_BEHIND = "(sleep 0.05 &) ; (exit 0 &) ; exit 3";
const env = { PATH: "/usr/bin:/bin" };

const runner = new ProcessRunner();
const reaper = new OrphanReaper((pid) => runner.isLiving(pid));
const exits: number[] = [];
let nowNs = 0;
for (let started = 0; started < COUNT; started++) {
  const exited = (exitCode: number) => void exits.push(exitCode);
  runner.spawn(["/bin/sh", "-c", LEAVES_TWO_BEHIND], env, exited, PLAIN_SETTING);
}
await until("everybody to end", () => {
  nowNs += ORPHAN_LOOK_NS;
  reaper.maintain(nowNs);
  return exits.length === COUNT && reaper.counters.get(ORPHANS.reaped) === 2 * COUNT;
});
console.log(JSON.stringify({ exits: [...new Set(exits)], zombies: zombieCount() }));

function zombieCount(): number {
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  return pids.filter((pid) => isZombie(pid)).length;
}

function isZombie(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return /^\) Z \S+/.test(stat.slice(stat.lastIndexOf(")"))) && parentOf(stat) === process.pid;
  } catch {
    return false;
  }
}

function parentOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
}
