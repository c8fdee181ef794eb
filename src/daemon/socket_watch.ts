// Looks once a second whether the socket files of the daemon are still there. A cleaner or a person
// may remove one: agents that start then cannot reach the daemon, and another one can take the
// path. A lost socket is logged, counted, and bound again by the same rules as at the start; as
// long as that fails, the health page fails.
import { block, Counters, counter, gauge } from "../base/counters.ts";
import { NS_PER_S } from "../base/time.ts";
import { SocketPathError } from "../sockets/socket_path.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Log, LogFields } from "./log.ts";
import type { Deadline } from "./deadline.ts";

export interface WatchedSocket {
  readonly name: string;
  readonly path: string;
  /** True while the file at the path is its socket. */
  isInPlace(): boolean;
  /** Binds the socket again; throws `SocketPathError` or `SystemError`. */
  rebind(nowNs: number): void;
  /** Gives up the old socket, if it has one and it was not used for longer than `quietNsMax`. */
  closeFormer?(nowNs: number, quietNsMax: number): void;
}

/** The socket of a server at `path`; none if it has no path. */
export function watchedServer(
  name: string,
  path: string | undefined,
  server: { readonly isInPlace: boolean; rebind(): void } | undefined,
): WatchedSocket[] {
  if (server === undefined || path === undefined) return [];
  return [{ name, path, isInPlace: () => server.isInPlace, rebind: () => server.rebind() }];
}

interface SocketWatchOptions {
  /** Those that there are now. */
  readonly sockets: () => readonly WatchedSocket[];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly thresholdNs: number;
  /** Makes the directory of the default socket, if that is gone too; throws if it cannot. */
  readonly makeDirectory: () => void;
}

export const SOCKET_FILES = block({
  lost: counter(
    "varta_socket_file_lost_total",
    "Times that a socket file of the daemon was found removed or replaced.",
  ),
  missing: gauge(
    "varta_socket_files_missing",
    "Sockets whose file is gone and that could not be bound anew yet: nobody new can reach them.",
    { ask: (watch: { readonly lost: number }) => watch.lost },
  ),
});

const LOOK_EVERY_NS = NS_PER_S;
const LINE_EVERY_NS = 60 * NS_PER_S;
/** An agent that is silent for so long is stalled anyway, and sends again by the new socket. */
const QUIET_THRESHOLDS_MAX = 10;
const QUIET_NS_MIN = 60 * NS_PER_S;

interface State {
  readonly socket: WatchedSocket;
  /** Of the socket when it was taken in. */
  readonly name: string;
  readonly path: string;
  isLost: boolean;
  /** When a failed try is logged next. */
  nextLineNs: number;
}

export class SocketWatch implements Deadline {
  readonly #options: SocketWatchOptions;
  #states: readonly State[] = [];
  #quietNsMax!: number;
  #nextLookNs = 0;
  /** Sockets that are gone. */
  lost = 0;
  readonly #counters = new Counters(SOCKET_FILES, this);

  constructor(options: SocketWatchOptions) {
    this.#options = options;
    options.metrics.show(this.#counters);
    this.renew();
    this.change(options.thresholdNs);
  }

  /** A reload has opened, moved or closed some. What is lost of the others stays so. */
  renew(): void {
    const before = this.#states;
    this.#states = this.#options.sockets().map((socket) => {
      const known = before.find(({ name, path }) => name === socket.name && path === socket.path);
      const { name, path } = socket;
      const { isLost = false, nextLineNs = 0 } = known ?? {};
      return { socket, name, path, isLost, nextLineNs };
    });
    this.lost = this.#states.filter(({ isLost }) => isLost).length;
    this.#nextLookNs = 0;
  }

  /** Another threshold of a stall. */
  change(thresholdNs: number): void {
    this.#quietNsMax = Math.max(QUIET_NS_MIN, QUIET_THRESHOLDS_MAX * thresholdNs);
  }

  /** False while a socket is gone and could not be bound again. */
  get allInPlace(): boolean {
    return this.lost === 0;
  }

  nextDeadlineNs(): number {
    return this.#states.length === 0 ? Number.POSITIVE_INFINITY : this.#nextLookNs;
  }

  maintain(nowNs: number): void {
    if (nowNs < this.nextDeadlineNs()) return;
    this.#nextLookNs = nowNs + LOOK_EVERY_NS;
    for (const state of this.#states) {
      if (!state.socket.isInPlace()) this.#bindAnew(state, nowNs);
      else if (state.isLost) this.#isBack(state, "socket file is back");
      state.socket.closeFormer?.(nowNs, this.#quietNsMax);
    }
  }

  #bindAnew(state: State, nowNs: number): void {
    const { socket } = state;
    const { log } = this.#options;
    if (!state.isLost) {
      this.#counters.add(SOCKET_FILES.lost);
      log.warn("socket file lost", fieldsOf(socket));
      state.nextLineNs = nowNs;
      this.#setLost(state, true);
    }
    try {
      this.#options.makeDirectory();
      socket.rebind(nowNs);
    } catch (error) {
      if (nowNs >= state.nextLineNs) this.#tell(state, error, nowNs);
      return;
    }
    this.#isBack(state, "socket bound again");
  }

  #isBack(state: State, message: string): void {
    this.#setLost(state, false);
    this.#options.log.info(message, fieldsOf(state.socket));
  }

  #setLost(state: State, isLost: boolean): void {
    state.isLost = isLost;
    this.lost += isLost ? 1 : -1;
  }

  // The first failure and one a minute: it is tried every second.
  #tell(state: State, error: unknown, nowNs: number): void {
    state.nextLineNs = nowNs + LINE_EVERY_NS;
    if (!(error instanceof Error)) throw error;
    const hint = error instanceof SocketPathError ? error.hint : undefined;
    this.#options.log.error("socket bind failed, retrying", {
      ...fieldsOf(state.socket),
      reason: error.message,
      hint,
    });
  }
}

function fieldsOf({ name, path }: WatchedSocket): LogFields {
  return { socket: name, path };
}
