// A hundred honest agents at 10 Hz on one listener while another listener of the same daemon is
// flooded at line rate, and what became of their beats: the export dates each of them, and its
// payload says when it was sent.
import { readFileSync } from "node:fs";
import { type Page, sampleAt } from "../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "./crew.ts";
import { DaemonProcess } from "./daemon_process.ts";
import { Flood, type FloodOptions } from "./flood.ts";
import { freeUdpPorts } from "./free_ports.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { until } from "./until.ts";

export const CAN_FLOOD: boolean = crewProgram !== undefined;
export const NEEDS_FLOOD: string = NEEDS_CREW;

const AGENTS = 100;
const INTERVAL_MS = 100;
const THRESHOLD_MS = 1_000;
const HOST = "127.0.0.1";
const PRIMARY_KEY = "5a".repeat(32);
const ACCEPTED_KEYS = "1234567".split("").map((digit) => digit.repeat(64));
const MASTER_KEY = "c3".repeat(32);

/** What is flooded, and with what. */
export interface FloodKind {
  readonly name: string;
  readonly listener: "honest" | "crowd" | "lab" | "edge";
  readonly content: FloodOptions["content"];
  readonly size: number;
  /** Flooding processes; default 1. */
  readonly senders?: number;
}

/** What takes every place in the agents' own queue, if nothing keeps it out. */
export const OWN_SOCKET_FLOOD: FloodKind = {
  name: "the agents' own socket, no frames",
  listener: "honest",
  content: "random",
  size: 32,
  senders: 3,
};

/** Every way in that costs the daemon something. */
export const FLOODS: readonly FloodKind[] = [
  { name: "unix, wrong size", listener: "crowd", content: "random", size: 31 },
  { name: "unix, no frames", listener: "crowd", content: "random", size: 32 },
  { name: "udp, no frames", listener: "lab", content: "random", size: 32 },
  { name: "udp, beats of any pid", listener: "lab", content: "beats", size: 32 },
  { name: "secure-udp, forged with 9 keys", listener: "edge", content: "random", size: 64 },
];

export interface FloodResult {
  /** Datagrams that the flood sent, and those of them that were received. */
  readonly flooded: number;
  readonly taken: number;
  /**
   * What the honest listener received that was no honest beat, and what the kernel dropped for it,
   * estimated.
   */
  readonly rubbishTaken: number;
  readonly filteredEstimate: number;
  readonly sent: number;
  readonly accepted: number;
  /** Honest agents that were reported silent while they beat. */
  readonly falseStalls: number;
  /** From the send to the receive of each honest beat, relative to the fastest ones; sorted. */
  readonly delaysMs: readonly number[];
  /** The part of the flood in which the daemon was ready and had no core; 1 = not known. */
  readonly coreless: number;
}

/**
 * Runs the fleet, floods for `floodMs` with each of `kinds` in turn, and reads what became of it.
 */
export async function floodFleet(
  kinds: readonly FloodKind[],
  floodMs: number,
  args: readonly string[] = [],
): Promise<FloodResult> {
  using directory = new TemporaryDirectory();
  const [lab, edge] = freeUdpPorts(2) as [number, number];
  await using daemon = await DaemonProcess.start({
    directory: directory.path,
    ownListeners: true,
    args: ["--threshold-ms", `${THRESHOLD_MS}`, "--export-file", "events.tsv", ...args],
    files: { primary: PRIMARY_KEY, accepted: ACCEPTED_KEYS.join("\n"), master: MASTER_KEY },
    config: listeners(directory, lab, edge),
  });
  await using crew = new Crew(daemon.socket);
  const pids = await crew.agents({ count: AGENTS, intervalMs: INTERVAL_MS, stamped: true });
  await until("every agent to be tracked", async () => (await daemon.state()).agents === AGENTS);
  const targets = {
    honest: { socket: daemon.socket },
    crowd: { socket: directory.at("crowd.sock") },
    lab: { address: HOST, port: lab },
    edge: { address: HOST, port: edge },
  };
  let flooded = 0;
  const corelessNs = waitedForCoreNs(daemon.pid);
  const startNs = Bun.nanoseconds();
  for (const { listener, content, size, senders = 1 } of kinds) {
    await using floods = new AsyncDisposableStack();
    const running = Array.from({ length: senders }, () =>
      floods.use(new Flood({ content, size, to: targets[listener] })),
    );
    await Bun.sleep(floodMs);
    for (const flood of running) flooded += await flood.end();
  }
  const coreless = (waitedForCoreNs(daemon.pid) - corelessNs) / (Bun.nanoseconds() - startNs);
  const sent = [...(await crew.quiet()).values()].reduce((sum, beats) => sum + beats);
  await daemon.untilReceived(sent);
  const page = await daemon.page();
  await daemon.stop();
  const rows = daemon.exported("events.tsv");
  return {
    flooded,
    taken: ["crowd", "lab", "edge"].reduce((sum, name) => sum + received(page, name), 0),
    rubbishTaken: received(page, "honest") - sent,
    filteredEstimate: sampleAt(page, 'varta_datagrams_filtered_estimate_total{listener="honest"}'),
    sent,
    coreless: Number.isNaN(coreless) ? 1 : coreless,
    accepted: rows.filter((row) => row[1] === "beat" && pids.includes(Number(row[2]))).length,
    ...honestRows(rows, new Set(pids)),
  };
}

/**
 * A daemon that waited for a core as often as one beat of a hundred comes has its neighbours to
 * blame for the slowest of them.
 */
const CORELESS_MAX = 0.01;

/**
 * Whether 99 of 100 beats waited for at most `msMax`, as far as that was for the daemon to decide.
 */
export function isPunctual({ delaysMs, coreless }: FloodResult, msMax: number): boolean {
  const p99 = quantile(delaysMs, 0.99);
  if (p99 < msMax) return true;
  console.warn(
    `delay p99 ${p99} ms; without a core for ${Math.round(coreless * 100)} % of the time`,
  );
  return coreless > CORELESS_MAX;
}

/** The value below which a part of the sorted `values` lies. */
export function quantile(values: readonly number[], part: number): number {
  return values[Math.min(values.length - 1, Math.floor(part * values.length))]!;
}

function listeners(directory: TemporaryDirectory, lab: number, edge: number): string {
  return `
[export]
events = ["beat", "stall"]

[[listener]]
kind = "unix"
name = "honest"
path = "${directory.at("varta.sock")}"

[[listener]]
kind = "unix"
name = "crowd"
path = "${directory.at("crowd.sock")}"

[[listener]]
kind = "udp"
name = "lab"
address = "${HOST}"
port = ${lab}
accept_plaintext = true

[[listener]]
kind = "secure-udp"
name = "edge"
address = "${HOST}"
port = ${edge}
key_file = "${directory.at("primary")}"
accepted_key_file = "${directory.at("accepted")}"
master_key_file = "${directory.at("master")}"
`;
}

/** NaN where the kernel does not count it. */
function waitedForCoreNs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]);
  } catch {
    return Number.NaN;
  }
}

function received(page: Page, listener: string): number {
  return sampleAt(page, `varta_datagrams_received_total{listener="${listener}"}`);
}

// What comes after the last honest beat is the silence that the test itself makes.
function honestRows(rows: readonly (readonly string[])[], pids: ReadonlySet<number>) {
  const honest = rows.filter(([, , pid]) => pids.has(Number(pid)));
  const lastBeat = honest.findLastIndex(([, kind]) => kind === "beat");
  const falseStalls = honest.slice(0, lastBeat).filter(([, kind]) => kind === "stall").length;
  const sinceSendUs = honest
    .filter(([, kind]) => kind === "beat")
    .map(([observerNs, , , , , payload]) => modulo(Number(observerNs) / 1_000 - Number(payload)));
  // The observer's clock begins at its start, so only differences mean something. An observer that
  // lost its core between a look at the clock and one at the socket dates a few too early.
  const fastestUs = quantile(
    sinceSendUs.toSorted((a, b) => a - b),
    0.01,
  );
  const delaysMs = sinceSendUs.map((us) => (us - fastestUs) / 1_000).toSorted((a, b) => a - b);
  return { falseStalls, delaysMs };
}

function modulo(us: number): number {
  return ((us % 2 ** 32) + 2 ** 32) % 2 ** 32;
}
