// A daemon with a listener of every kind: the Unix socket, plain UDP "lab" and secure UDP "edge", at free ports.
import { AF_INET, SOCK_DGRAM } from "../../ffi/constants.ts";
import { check } from "../../ffi/errno.ts";
import { bind, boundPort, close, inetAddress, openSocket } from "../../ffi/socket.ts";
import { type Page, sampleAt } from "../metrics/page.ts";
import { DaemonProcess } from "../support/daemon_process.ts";
import { until } from "../support/until.ts";

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
    const [labPort, edgePort] = freePorts(2) as [number, number];
    const daemon = await DaemonProcess.start({
      args: [...args, "--key-file", "shared", "--master-key-file", "master"],
      files: { shared: SHARED_KEY, master: MASTER_KEY },
      config: `
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
    await until(`${count} datagrams at ${name}`, async () => {
      const { listeners } = (await this.daemon.state()) as unknown as State;
      return listeners.find((listener) => listener.name === name)!.received >= count;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.daemon[Symbol.asyncDispose]();
  }
}

interface State {
  readonly listeners: readonly { readonly name: string; readonly received: number }[];
}

/** Every counter of datagrams and beats that is not 0, and how many agents are tracked. */
export function countsOf(page: Page): Record<string, number> {
  const counter =
    /^varta_(?:datagrams|beats|frame|decode|secure_replay|sender|truncated|ctrl|origin|rate|tracker|stalls|kernel)\w*_total(?:\{|$)/;
  const counts = [...page.samples].filter(([name, count]) => counter.test(name) && count !== 0);
  counts.push(["varta_watch_pids_tracked", sampleAt(page, "varta_watch_pids_tracked")]);
  return Object.fromEntries(counts);
}

/** UDP ports that were free a moment ago. */
function freePorts(count: number): number[] {
  const fds = Array.from({ length: count }, () => check(openSocket(AF_INET, SOCK_DGRAM), "open"));
  const ports = fds.map((fd) => {
    check(bind(fd, inetAddress(Uint8Array.of(127, 0, 0, 1), 0)), "bind");
    return check(boundPort(fd), "port");
  });
  for (const fd of fds) close(fd);
  return ports;
}
