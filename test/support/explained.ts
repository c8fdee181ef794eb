// What `varta-watch explain` prints of a real daemon, with all that differs from run to run written
// as words: pids, times of day, how long something took. On a screen that is wide enough for every
// line.
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ExplainView } from "../../src/view/explain_view.ts";
import { RawClient } from "../http/raw_client.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { DaemonProcess, type DaemonOptions } from "./daemon_process.ts";
import { NEEDS_ACTORS } from "./actors.ts";
import { PROGRAM } from "./program.ts";
import { until } from "./until.ts";

/** Texts by their titles: "## hangs". */
const TEXTS = join(import.meta.dir, "../end_to_end/explained.txt");

/** In the name of a test: the texts are those of root. */
export const NEEDS_ROOT = process.geteuid?.() === 0 ? NEEDS_ACTORS : " (skipped: only for root)";

/** Its threshold is 1 s. */
export function startExplained(config: string, other: DaemonOptions = {}): Promise<DaemonProcess> {
  const text = `[observer]\nthreshold = "1s"\n${config}`;
  return DaemonProcess.start({ config: text, metrics: false, ...other });
}

export function expectPrinted(title: string, text: string): void {
  const sections = readFileSync(TEXTS, "utf8").split(/^## /m);
  const section = sections.find((one) => one.startsWith(`${title}\n`));
  expect(text).toBe(section!.slice(title.length + 1));
}

/** It is known that the process itself has sent a beat. */
export function untilProven(daemon: DaemonProcess, pid: number): Promise<void> {
  const isProven = async () => (await explanation(daemon, pid)).member?.proof.proven === true;
  return until(`${pid} to be proven`, isProven);
}

export function untilStepIsOver(daemon: DaemonProcess, pid: number): Promise<void> {
  return until("its command to end", async () =>
    (await explanation(daemon, pid)).done.some(
      (row) => row.what === "step" && row.took_ms !== undefined,
    ),
  );
}

/** Pids by the words that stand for them. */
type Pids = Readonly<Record<string, number>>;

function explain(
  daemon: DaemonProcess,
  target: string,
  ...options: readonly string[]
): Promise<CommandResult> {
  const argv = [...PROGRAM, "explain", "--control", daemon.path("control.sock"), "--utc"];
  return runCommand(["env", "COLUMNS=400", ...argv, ...options, target]);
}

/** The answer itself, asked for at the socket: it starts no program. */
export async function explanation(
  daemon: DaemonProcess,
  target: number | string,
): Promise<ExplainView> {
  const client = await RawClient.open({ path: daemon.path("control.sock") });
  client.end(`${JSON.stringify({ v: 1, do: "explain", target: `${target}` })}\n`);
  await until("an explanation", () => client.hasEnded);
  client[Symbol.dispose]();
  return JSON.parse(client.received.split("\n")[0]!) as ExplainView;
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

const BEFORE_A_PID = String.raw`[Pp]id |CONT |explain |127\.0\.0\.1/`;

function normalized(text: string, daemon: DaemonProcess, pids: Pids): string {
  let plain = text.replaceAll(daemon.directory, "DIR").replaceAll(hostname(), "HOST");
  // Only where a pid can stand: one of a small namespace is a number as an hour is one.
  for (const [word, pid] of Object.entries(pids))
    plain = plain.replaceAll(new RegExp(String.raw`(${BEFORE_A_PID})${pid}\b`, "g"), `$1${word}`);
  return (
    plain
      .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, "CLOCK.MS")
      .replaceAll(/\d\d:\d\d:\d\d/g, "CLOCK")
      .replaceAll(/--since \d\d:\d\d/g, "--since CLOCK")
      .replaceAll(new RegExp(String.raw`\b(for|after|silent for) ${DURATION}`, "g"), "$1 SPAN")
      .replaceAll(
        new RegExp(String.raw`[\d.]+s of CPU in the ${DURATION}`, "g"),
        "N of CPU in SPAN",
      )
      // Of half a second and more this follows, and of less nothing.
      .replaceAll(/since the stall: it waits, it does not spin$/gm, "since the stall")
      .replaceAll(new RegExp(`(done|exit \\d+), ${DURATION}$`, "gm"), "$1, SPAN")
      .replaceAll(new RegExp(`${DURATION} (before the deadline|after the stall)`, "g"), "SPAN $1")
      .replaceAll(new RegExp(`fell silent within ${DURATION}`, "g"), "fell silent within SPAN")
      .replaceAll(/\(load .* in 10s\)$/gm, "(LOAD OF THE MACHINE)")
      .replaceAll(/\) in [a-z0-9_.]+$/gm, ") in WCHAN")
      .replaceAll(/, number \d+,/g, ", number N,")
      .replaceAll(/crew-[0-9a-f]{10}/g, "crew-HASH")
      .replaceAll(/namespace 40\d{8}/g, "namespace INODE")
      .replaceAll(/observer: 40\d{8}/g, "observer: INODE")
  );
}
