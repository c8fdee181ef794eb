// Speaks to the service manager (spec 12 section 3): ready, a status line, stopping, and the
// watchdog's pets. Only a turn that judged is a reason for a pet, so a daemon that runs and no
// longer looks for stalls is restarted too. Nothing here blocks; without NOTIFY_SOCKET nothing is
// said.
import { close, type SocketAddress, sendTo } from "../../ffi/socket.ts";
import { NS_PER_MS, NS_PER_S } from "../base/time.ts";
import { openNotifySocket } from "../systemd/notify_socket.ts";
import type { Deadline } from "./deadline.ts";

interface NotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** The state of the daemon, read when it is sent. */
  readonly state: NotifyState;
  /** Stands in the status until a reload goes well; undefined = there is none. */
  readonly trouble?: string | undefined;
  /**
   * Called with the reason why the service manager cannot be reached although it set its variables.
   */
  readonly unusable: (reason: string) => void;
}

interface NotifyState {
  /** Grows with every judge point. */
  judgePoints(): number;
  agents(): number;
  stalled(): number;
  /** Beats accepted since the start. */
  beats(): number;
}

const STATUS_PERIOD_NS = 10 * NS_PER_S;
/** When the service manager's queue was full, or a turn did not judge. */
const RETRY_NS = 50 * NS_PER_MS;
const NS_PER_US = 1_000;

const encoder = new TextEncoder();

export class Notify implements Deadline {
  /**
   * Half of what the service manager allows between two pets; undefined = it does not watch the
   * daemon.
   */
  readonly petEveryNs: number | undefined;
  readonly #state: NotifyState;
  readonly #fd: number;
  readonly #address: SocketAddress;
  #owesReady = false;
  #stopped = false;
  #petDueNs = 0;
  #judgePointsSeen = 0;
  #status = "";
  /** Why the last reload failed, or the file is not in force. */
  #trouble: string | undefined = undefined;
  #statusAtNs = 0;
  #beatsAtStatus = 0;

  /** The way to the service manager that started the daemon, or undefined if there is none. */
  static open(options: NotifyOptions): Notify | undefined {
    const { env, unusable } = options;
    const name = env["NOTIFY_SOCKET"];
    const petEveryNs = petEveryNsOf(options);
    if (name === undefined) {
      if (petEveryNs !== undefined) unusable("WATCHDOG_USEC is set, NOTIFY_SOCKET is not");
      return undefined;
    }
    const socket = openNotifySocket(name);
    if (typeof socket !== "string") return new Notify({ ...options, ...socket, petEveryNs });
    unusable(socket);
    return undefined;
  }

  private constructor(opened: {
    readonly state: NotifyState;
    readonly trouble?: string | undefined;
    readonly fd: number;
    readonly address: SocketAddress;
    readonly petEveryNs: number | undefined;
  }) {
    this.#state = opened.state;
    this.#trouble = opened.trouble;
    this.#fd = opened.fd;
    this.#address = opened.address;
    this.petEveryNs = opened.petEveryNs;
  }

  /** Everything is open and the first turn comes next. */
  ready(nowNs: number): void {
    this.#renewStatus(nowNs);
    this.#sayReady();
  }

  /** A reload was asked for before `monotonicUs` of CLOCK_MONOTONIC, and begins. */
  reloading(monotonicUs: number): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${monotonicUs}\n`);
  }

  /** The reload is over; `trouble` stands in the status until one goes well. */
  reloaded(nowNs: number, trouble: string | undefined): void {
    this.#trouble = trouble;
    this.#renewStatus(nowNs);
    this.#sayReady();
  }

  /** Shutdown begins. Always the last message, however often it is called. */
  stopping(): void {
    if (this.#stopped) return;
    this.#send("STOPPING=1\n");
    this.#stopped = true;
    close(this.#fd);
  }

  nextDeadlineNs(): number {
    return this.petEveryNs === undefined && !this.#owesReady
      ? Number.POSITIVE_INFINITY
      : this.#petDueNs;
  }

  /** At the end of a turn: says what is due. */
  maintain(nowNs: number): void {
    if (nowNs >= this.#petDueNs) this.#pet(nowNs);
    if (nowNs - this.#statusAtNs >= STATUS_PERIOD_NS && this.#renewStatus(nowNs))
      this.#send(`STATUS=${this.#status}\n`);
  }

  #pet(nowNs: number): void {
    this.#petDueNs = nowNs + RETRY_NS;
    if (this.#owesReady) this.#sayReady();
    if (this.petEveryNs === undefined) return;
    const judgePoints = this.#state.judgePoints();
    if (judgePoints === this.#judgePointsSeen) return;
    this.#judgePointsSeen = judgePoints;
    if (this.#send("WATCHDOG=1\n")) this.#petDueNs = nowNs + this.petEveryNs;
  }

  // A start whose READY=1 got lost would be ended as failed, so it is repeated until it was taken.
  #sayReady(): void {
    this.#owesReady = !this.#send(`READY=1\nSTATUS=${this.#status}\n`);
  }

  /** True if the status reads differently now. */
  #renewStatus(nowNs: number): boolean {
    const seconds = (nowNs - this.#statusAtNs) / NS_PER_S;
    const total = this.#state.beats();
    const rate = seconds > 0 ? Math.round((total - this.#beatsAtStatus) / seconds) : 0;
    this.#statusAtNs = nowNs;
    this.#beatsAtStatus = total;
    const before = this.#status;
    const counts = `${this.#state.agents()} agents, ${this.#state.stalled()} stalled, ${rate} beats/s`;
    this.#status = this.#trouble === undefined ? counts : `${this.#trouble}; ${counts}`;
    return this.#status !== before;
  }

  /**
   * True if the service manager took it; the next message may find room, so a refusal is no event.
   */
  #send(message: string): boolean {
    if (this.#stopped) return false;
    return sendTo(this.#fd, encoder.encode(message), this.#address) >= 0;
  }
}

function petEveryNsOf({ env, pid }: NotifyOptions): number | undefined {
  const watchedPid = env["WATCHDOG_PID"];
  if (watchedPid !== undefined && watchedPid !== String(pid)) return undefined;
  const text = env["WATCHDOG_USEC"] ?? "";
  const intervalUs = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (intervalUs === 0 || !Number.isSafeInteger(intervalUs)) return undefined;
  return (intervalUs * NS_PER_US) / 2;
}
