// A daemon with a listener of every kind: the Unix socket, plain UDP "lab" and secure UDP "edge",
// at free ports.
import { type Page, sampleAt } from "../metrics/page.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { freeUdpPorts } from "../support/free_ports.ts";

export const SHARED_KEY: string = "5a".repeat(32);
export const MASTER_KEY: string = "c3".repeat(32);
export const HOST = "127.0.0.1";

export interface UdpDaemonOptions {
  readonly args?: readonly string[];
  /** More lines of the table of "edge". */
  readonly edge?: string;
}

export class UdpDaemon implements AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly lab: { readonly address: string; readonly port: number };
  readonly edge: { readonly address: string; readonly port: number };

  static async start({ args = [], edge = "" }: UdpDaemonOptions = {}): Promise<UdpDaemon> {
    const [labPort, edgePort] = freeUdpPorts(2) as [number, number];
    const daemon = await DaemonProcess.start({
      args: [...args, "--key-file", "shared", "--master-key-file", "master"],
      files: { shared: SHARED_KEY, master: MASTER_KEY },
      config: `
[metrics]
per_pid = true

[[listener]]
kind = "udp"
name = "lab"
address = "${HOST}"
port = ${labPort}
accept_plaintext = true

[[listener]]
kind = "secure-udp"
name = "edge"
address = "${HOST}"
port = ${edgePort}
${edge}
`,
    });
    return new UdpDaemon(daemon, labPort, edgePort);
  }

  constructor(daemon: DaemonProcess, labPort: number, edgePort: number) {
    this.daemon = daemon;
    this.lab = { address: HOST, port: labPort };
    this.edge = { address: HOST, port: edgePort };
  }

  /** Waits until the listener has taken `count` datagrams in all. */
  async untilReceived(name: "unix-0" | "lab" | "edge", count: number): Promise<void> {
    await this.daemon.untilReceived(count, name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.daemon[Symbol.asyncDispose]();
  }
}

/** Every counter of datagrams and beats that is not 0, and how many agents are tracked. */
export function countsOf(page: Page): Record<string, number> {
  const counter =
    /^varta_(?:datagrams|beats|frame|decode|secure_replay|sender|truncated|ctrl|origin|rate|tracker|stalls|kernel)\w*_total(?:\{|$)/;
  const counts = [...page.samples].filter(([name, count]) => counter.test(name) && count !== 0);
  counts.push(["varta_watch_pids_tracked", sampleAt(page, "varta_watch_pids_tracked")]);
  return Object.fromEntries(counts);
}
