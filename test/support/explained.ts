// What `varta-watch explain` prints of a real daemon, with all that differs from run to run written
// as words: pids, times of day, how long something took. On a screen that is wide enough for every
// line.
import { hostname } from "node:os";
import { type CommandResult, runCommand } from "./command.ts";
import type { DaemonProcess } from "./daemon_process.ts";
import { PROGRAM } from "./program.ts";

/** Pids by the words that stand for them. */
type Pids = Readonly<Record<string, number>>;

export function explain(
  daemon: DaemonProcess,
  target: string,
  ...options: readonly string[]
): Promise<CommandResult> {
  const argv = [...PROGRAM, "explain", "--control", daemon.path("control.sock"), "--utc"];
  return runCommand(["env", "COLUMNS=400", ...argv, ...options, target]);
}

export async function explained(
  daemon: DaemonProcess,
  target: string,
  pids: Pids = {},
): Promise<string> {
  const { stdout, stderr } = await explain(daemon, target);
  return normalized(`${stderr}${stdout}`, daemon, pids);
}

const DURATION = String.raw`\d+(?:\.\d+)?(?:ms|s|m\d\ds)`;

function normalized(text: string, daemon: DaemonProcess, pids: Pids): string {
  let plain = text.replaceAll(daemon.directory, "DIR").replaceAll(hostname(), "HOST");
  for (const [word, pid] of Object.entries(pids))
    plain = plain.replaceAll(new RegExp(String.raw`\b${pid}\b`, "g"), word);
  return plain
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, "CLOCK.MS")
    .replaceAll(/\d\d:\d\d:\d\d/g, "CLOCK")
    .replaceAll(/--since \d\d:\d\d/g, "--since CLOCK")
    .replaceAll(new RegExp(String.raw`\b(for|after|silent for) ${DURATION}`, "g"), "$1 SPAN")
    .replaceAll(new RegExp(String.raw`[\d.]+s of CPU in the ${DURATION}`, "g"), "N of CPU in SPAN")
    .replaceAll(new RegExp(`(done|exit \\d+), ${DURATION}$`, "gm"), "$1, SPAN")
    .replaceAll(new RegExp(`${DURATION} (before the deadline|after the stall)`, "g"), "SPAN $1")
    .replaceAll(new RegExp(`fell silent within ${DURATION}`, "g"), "fell silent within SPAN")
    .replaceAll(/\(load .* in 10s\)$/gm, "(LOAD OF THE MACHINE)")
    .replaceAll(/\) in [a-z0-9_.]+$/gm, ") in WCHAN")
    .replaceAll(/, number \d+,/g, ", number N,")
    .replaceAll(/namespace 40\d{8}/g, "namespace INODE")
    .replaceAll(/observer: 40\d{8}/g, "observer: INODE");
}
