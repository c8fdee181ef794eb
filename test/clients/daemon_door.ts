// The real daemon with a listener of every kind, as the rows of the contract see it: the beats that
// it accepted, with the process that the kernel named. It can stand still, be killed, and be
// started again in its place.
import { existsSync, readFileSync } from "node:fs";
import { HOST, MASTER_KEY, SHARED_KEY } from "../interop/udp_daemon.ts";
import { type Page, sampleAt, sumOf } from "../metrics/page.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { freeUdpPorts } from "../support/free_ports.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import type { DoorKind } from "./driver.ts";

export interface Accepted {
  readonly pid: number;
  readonly nonce: bigint;
  readonly status: string;
  readonly payload: number;
  readonly listener: string;
}

export class DaemonDoor implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly #ports = freeUdpPorts(2) as [number, number];
  #daemon: DaemonProcess | undefined;

  static async open(): Promise<DaemonDoor> {
    const door = new DaemonDoor();
    await door.open();
    return door;
  }

  get daemon(): DaemonProcess {
    return this.#daemon!;
  }

  /** Starts it, at its place, over whatever is there. */
  async open(): Promise<void> {
    const directory = this.#directory.path;
    this.#daemon = await DaemonProcess.start({
      directory,
      ownListeners: true,
      args: ["--key-file", "shared", "--master-key-file", "master"],
      files: { shared: SHARED_KEY, master: MASTER_KEY },
      config: configuration(directory, this.#ports),
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.daemon.signal(signal);
  }

  /** SIGKILL: its paths stay. */
  async kill(): Promise<void> {
    if (this.#daemon === undefined) return;
    const daemon = this.#daemon;
    this.#daemon = undefined;
    daemon.signal("SIGKILL");
    await daemon[Symbol.asyncDispose]();
  }

  /** The words that open a driver's client at the listener of this kind. */
  at(kind: DoorKind): string {
    const [lab, edge] = this.#ports;
    switch (kind) {
      case "unix":
        return `unix ${this.path("unix")}`;
      case "unix-stream":
        return `unix-stream ${this.path("unix-stream")}`;
      case "udp":
        return `udp ${HOST} ${lab}`;
      case "key":
        return `key ${HOST} ${edge} ${SHARED_KEY}`;
      case "master":
        return `master ${HOST} ${edge} ${MASTER_KEY}`;
    }
  }

  path(kind: "unix" | "unix-stream"): string {
    return this.#directory.at(kind === "unix" ? "varta.sock" : "stream.sock");
  }

  /** The beats of a process that any daemon at this place has accepted, in their order. */
  beatsOf(pid: number): Accepted[] {
    const file = this.#directory.at("events.jsonl");
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
    return lines.flatMap((line) => {
      const event = JSON.parse(line) as Readonly<Record<string, string | number>>;
      if (event["kind"] !== "beat" || event["pid"] !== pid) return [];
      return [
        {
          pid,
          nonce: BigInt(event["nonce"]!),
          status: String(event["status"]),
          payload: Number(event["payload"]),
          listener: String(event["listener"]),
        },
      ];
    });
  }

  noncesOf(pid: number): bigint[] {
    return this.beatsOf(pid).map(({ nonce }) => nonce);
  }

  untilBeats(pid: number, count: number): Promise<void> {
    return until(`${count} beats of ${pid}`, () => this.beatsOf(pid).length >= count);
  }

  /** What the daemon has refused since it was started, of whatever kind. */
  async refused(): Promise<number> {
    const page = await this.daemon.page();
    const families = [
      "varta_datagrams_rejected_total",
      "varta_frame_decrypt_failures_total",
      "varta_secure_replay_refused_total",
    ];
    return families.reduce((sum, family) => sum + sumOf(page, family), 0);
  }

  async closedStreams(reason: string): Promise<number> {
    return closedFor(await this.daemon.page(), reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#directory[Symbol.dispose]();
  }
}

function closedFor(page: Page, reason: string): number {
  return sampleAt(page, `varta_stream_closed_total{listener="unix-stream-0",reason="${reason}"}`);
}

function configuration(directory: string, [lab, edge]: readonly [number, number]): string {
  return `
[observer]
threshold = "60s"

[[agent]]
match = { uid = ${process.geteuid!()} }
name = "worker"
announce = true

[[agent]]
match = { listener = ["lab", "edge"] }
name = "remote"
announce = true

[export]
file = "${directory}/events.jsonl"
format = "jsonl"
events = ["beat"]

[[listener]]
kind = "unix"
path = "${directory}/varta.sock"

[[listener]]
kind = "unix-stream"
path = "${directory}/stream.sock"

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
`;
}
