// The servers of the daemon: the metrics page and the control socket. They are opened at the start,
// and a reload changes them without losing a connection (spec 17 section 7): a server that goes on
// takes another address and other settings between two turns, and one that is given up ends what it
// has begun.
import { isDeepStrictEqual } from "node:util";
import { NS_PER_MS } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import { type BoundControl, bindControl, releaseControl } from "../control/control_listener.ts";
import {
  ControlServer,
  type ControlServerOptions,
  type ControlSettings,
} from "../control/control_server.ts";
import { type BoundHttp, releaseHttp } from "../http/http_address.ts";
import { HttpServer, type HttpServerOptions, type HttpSettings } from "../http/http_server.ts";
import type { HttpViews } from "../http/view_queue.ts";
import { checkGroup } from "../sockets/socket_path.ts";
import type { Deadline } from "./deadline.ts";
import { DoorFault, NO_DOORS, type PreparedDoors, prepareAll } from "./door_change.ts";
import type { Log } from "./log.ts";
import type { LoopServer } from "./loop.ts";
import { atControlPath, atMetricsAddress, codeOf, controlDoor } from "./server_doors.ts";
import { type WatchedSocket, watchedServer } from "./socket_watch.ts";
import { errorText } from "./start_error.ts";
import { metricsUrl } from "./start_lines.ts";

interface ServersOptions {
  readonly log: Pick<Log, "info" | "warn">;
  /** What the servers have from the daemon, whatever is configured. */
  readonly ofHttp: Omit<HttpServerOptions, keyof HttpSettings>;
  readonly ofControl: Omit<ControlServerOptions, keyof ControlSettings>;
  readonly viewsOf: (config: Config) => HttpViews;
  /** A server was opened: its counters go on the page. */
  readonly opened: (server: HttpServer | ControlServer, config: Config) => void;
  readonly nowNs: () => number;
}

/** A server that is given up, and when it begins to end: who asked for that is answered before. */
interface Ending {
  readonly server: HttpServer | ControlServer;
  /** +Infinity = the runtime has not come round since: an answer may wait for it. */
  atNs: number;
}

const END_AFTER_NS = 100 * NS_PER_MS;
const CONTROL_PATH = ["control", "path"];

export class Servers implements Deadline {
  readonly #options: ServersOptions;
  #http: HttpServer | undefined;
  #control: ControlServer | undefined;
  /** What metrics.listen says of the server that there is. */
  #listen: HttpSettings["listen"] | undefined;
  #controlGid: number | undefined;
  #ending: readonly Ending[] = [];
  #inService: readonly LoopServer[] = [];

  constructor(options: ServersOptions) {
    this.#options = options;
  }

  get http(): HttpServer | undefined {
    return this.#http;
  }

  get control(): ControlServer | undefined {
    return this.#control;
  }

  /** What the loop serves: another array whenever that has changed. */
  get inService(): readonly LoopServer[] {
    return this.#inService;
  }

  /** At the start. With `portMayChange` a port that is in use is replaced by one that is free. */
  openHttp(config: Config, portMayChange: boolean): void {
    const settings = this.#httpSettings(config);
    if (settings === undefined) return;
    const { listen } = settings;
    const serve = (at: HttpSettings["listen"]) =>
      new HttpServer({ ...this.#options.ofHttp, ...settings, listen: at });
    const server = atMetricsAddress(listen, () => {
      try {
        return serve(listen);
      } catch (error) {
        const mayMove = portMayChange && listen.kind === "tcp" && codeOf(error) === "EADDRINUSE";
        if (!mayMove) throw error;
        return serve({ ...listen, port: 0 });
      }
    });
    this.#takeHttp(server, config);
  }

  /** At the start. A default path that cannot be bound is a warning (spec 16 section 1). */
  openControl(config: Config): void {
    const server = this.#newControl(config);
    if (server !== undefined) this.#takeControl(server, config);
  }

  /** Their socket files. */
  get watched(): WatchedSocket[] {
    const address = this.#http?.address ?? "";
    const path = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
    return [
      ...watchedServer("metrics", path, this.#http),
      ...watchedServer("control", this.#control?.path, this.#control),
    ];
  }

  /** Binds what `next` wants and is not bound yet; throws `DoorFault`, and then nothing is. */
  prepare(next: Config): PreparedDoors {
    return prepareAll([() => this.#prepareHttp(next), () => this.#prepareControl(next)]);
  }

  nextDeadlineNs(): number {
    return this.#ending.length === 0
      ? Number.POSITIVE_INFINITY
      : Math.min(...this.#ending.map(({ server, atNs }) => (server.closed ? 0 : atNs)));
  }

  maintain(nowNs: number): void {
    if (this.#ending.length === 0) return;
    for (const { server, atNs } of this.#ending) if (nowNs >= atNs) server.beginClose();
    const left = this.#ending.filter(({ server }) => !server.closed);
    for (const { server } of this.#ending) if (server.closed) server.release();
    if (left.length === this.#ending.length) return;
    this.#ending = left;
    this.#serveOthers();
  }

  #prepareHttp(next: Config): PreparedDoors {
    const settings = this.#httpSettings(next);
    const server = this.#http;
    if (settings === undefined) return { ...NO_DOORS, commit: () => this.#giveUpHttp() };
    const { listen } = settings;
    const open = <Opened>(make: () => Opened) =>
      DoorFault.within(["metrics", "listen"], () => atMetricsAddress(listen, make));
    if (server === undefined) {
      const opened = open(() => new HttpServer({ ...this.#options.ofHttp, ...settings }));
      return { commit: () => this.#takeHttp(opened, next), drop: () => abandon(opened) };
    }
    const moved = isDeepStrictEqual(listen, this.#listen)
      ? undefined
      : open(() => server.bindAt(settings));
    return {
      commit: () => this.#changeHttp(server, settings, moved),
      drop: () => moved && releaseHttp(moved),
    };
  }

  #changeHttp(server: HttpServer, settings: HttpSettings, moved: BoundHttp | undefined): void {
    server.change(settings, moved);
    this.#listen = settings.listen;
    if (moved !== undefined) this.#options.log.info("metrics", { url: metricsUrl(moved.address) });
  }

  #prepareControl(next: Config): PreparedDoors {
    const door = controlDoor(next);
    const server = this.#control;
    if (door === undefined) return { ...NO_DOORS, commit: () => this.#giveUpControl() };
    if (server === undefined) {
      const opened = DoorFault.within(CONTROL_PATH, () => this.#newControl(next));
      if (opened === undefined) return NO_DOORS;
      return { commit: () => this.#takeControl(opened, next), drop: () => abandon(opened) };
    }
    const { path } = door;
    const { kept } = this.#options.ofControl;
    const settings = { ...controlSettings(next), path };
    const bind = () => atControlPath(path, () => bindControl({ ...settings, kept }));
    const isMoved = path !== server.path;
    const moved = isMoved ? DoorFault.within(CONTROL_PATH, bind) : undefined;
    const { gid } = settings;
    if (!isMoved && gid !== undefined && gid !== this.#controlGid)
      DoorFault.within(["control", "group"], () => checkGroup(path, gid));
    return {
      commit: () => this.#changeControl(server, settings, moved),
      drop: () => moved && releaseControl(moved, kept),
    };
  }

  #changeControl(
    server: ControlServer,
    settings: ControlSettings,
    moved: BoundControl | undefined,
  ): void {
    server.change(settings, moved);
    this.#controlGid = settings.gid;
    if (moved !== undefined) this.#options.log.info("control", { path: settings.path });
  }

  #newControl(config: Config): ControlServer | undefined {
    const door = controlDoor(config);
    if (door === undefined) return undefined;
    const { path, isNamed } = door;
    const options = { ...this.#options.ofControl, ...controlSettings(config), path };
    try {
      return atControlPath(path, () => new ControlServer(options));
    } catch (error) {
      if (isNamed) throw error;
      this.#options.log.warn("control socket off", { path, error: errorText(error) });
      return undefined;
    }
  }

  /** Undefined = no page is served. */
  #httpSettings(config: Config): HttpSettings | undefined {
    const { listen } = config.metrics;
    if (listen === undefined) return undefined;
    return { ...config.metrics, listen, views: this.#options.viewsOf(config) };
  }

  #takeHttp(server: HttpServer, config: Config): void {
    this.#http = server;
    this.#listen = config.metrics.listen;
    this.#options.opened(server, config);
    this.#serveOthers();
  }

  #takeControl(server: ControlServer, config: Config): void {
    this.#control = server;
    this.#controlGid = config.control.gid;
    this.#options.opened(server, config);
    this.#serveOthers();
  }

  #giveUpHttp(): void {
    this.#giveUp(this.#http);
    this.#http = undefined;
  }

  #giveUpControl(): void {
    this.#giveUp(this.#control);
    this.#control = undefined;
  }

  #giveUp(server: HttpServer | ControlServer | undefined): void {
    if (server === undefined) return;
    const ending: Ending = { server, atNs: Number.POSITIVE_INFINITY };
    this.#ending = [...this.#ending, ending];
    setImmediate(() => {
      ending.atNs = this.#options.nowNs() + END_AFTER_NS;
    });
  }

  #serveOthers(): void {
    const ending = this.#ending.map(({ server }) => server);
    const all = [this.#http, this.#control, ...ending];
    this.#inService = all.filter((server) => server !== undefined);
  }
}

function controlSettings({ control }: Config): Omit<ControlSettings, "path"> {
  const { mode, gid, operators } = control;
  return { mode, gid, operators };
}

/** Of a server that nobody has been told of. */
function abandon(server: HttpServer | ControlServer): void {
  server.beginClose();
  server.release();
}
