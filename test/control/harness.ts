// The server of the control socket over an observer with members, turned by hand: the kernel's
// sockets are real, time is the test's.
import { ControlServer } from "../../src/control/control_server.ts";
import type { Request } from "../../src/control/request.ts";
import { REQUESTS } from "../../src/control/requests.ts";
import { EventLog } from "../../src/view/event_log.ts";
import { EventStreams } from "../../src/view/event_streams.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { RawClient } from "../http/raw_client.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { until } from "../support/until.ts";
import { sourcesWith } from "./sources.ts";
import { viewOf } from "../support/views.ts";

export const STATUS_LINE = '{"v":1,"do":"status"}\n';
export const DONE_LINE = '{"done":true}\n';
const SLICE_NS = 1_000_000;

interface ControlHarnessOptions {
  readonly members?: number;
  readonly requests?: readonly Request[];
  /** Nobody is the daemon's user, so that only root and operators act. */
  readonly daemonUid?: number;
  readonly mode?: number;
}

export class ControlHarness {
  readonly observer = new ObserverHarness();
  readonly server: ControlServer;
  readonly acts: string[] = [];
  readonly events = new EventLog();
  readonly streams = new EventStreams(this.events, "boot");
  nowNs = 1_000_000_000;
  readonly #directory = new TemporaryDirectory();
  readonly #clients: RawClient[] = [];

  constructor({
    members = 0,
    requests = REQUESTS,
    daemonUid = 1,
    mode = 0o660,
  }: ControlHarnessOptions = {}) {
    const pids = Array.from({ length: members }, (_, at) => 100 + at);
    for (const pid of pids) this.observer.processes.set(pid, 1);
    this.observer.receive(...pids.map((pid) => beatOf(pid)));
    this.server = new ControlServer({
      path: this.#directory.at("control.sock"),
      mode,
      gid: undefined,
      operators: { uids: [], gids: [] },
      daemonUid,
      requests,
      sources: sourcesWith({
        view: viewOf(this.observer.observer),
        events: this.streams,
      }),
      nowNs: () => this.nowNs,
      acted: ({ name }) => this.acts.push(`did ${name}`),
      refusedAct: ({ name }) => this.acts.push(`refused ${name}`),
    });
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.open({ path: this.server.path });
    this.#clients.push(client);
    return client;
  }

  /** Turns until `done`, with time standing still. */
  turn(what: string, done: () => boolean): Promise<void> {
    return until(what, () => {
      this.server.serveSlice(SLICE_NS);
      return done();
    });
  }

  /** What one client gets for `text`, until the connection ends. */
  async ask(text: string): Promise<string> {
    const client = await this.client();
    client.end(text);
    await this.turn("the answers", () => client.hasEnded);
    return client.received;
  }

  pass(ns: number): void {
    this.nowNs += ns;
    this.server.serveSlice(SLICE_NS);
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client[Symbol.dispose]();
    this.server.beginClose();
    this.nowNs += 10_000_000_000;
    this.server.serveSlice(SLICE_NS);
    this.#directory[Symbol.dispose]();
  }
}
