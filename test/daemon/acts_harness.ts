// A turn of the daemon with mutes and acts: what is scripted is the same as in a plain turn, and
// what somebody asks for is done between two turns.
import type { Act, MuteEvent } from "../../src/events/act.ts";
import type { Stall } from "../../src/events/stall.ts";
import { Acts } from "../../src/daemon/acts.ts";
import { Log } from "../../src/daemon/log.ts";
import { Muting } from "../../src/daemon/muting.ts";
import { MemberSearch } from "../../src/view/member_search.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { TickHarness, type TickHarnessOptions } from "./harness.ts";

export const DANA = { uid: 1_001, pid: 5_001, comm: "varta-watch" };

export class ActsHarness extends TickHarness {
  readonly acted: Act[] = [];
  readonly muteEvents: MuteEvent[] = [];
  readonly lines: string[] = [];
  readonly log = new Log({
    level: "info",
    format: "logfmt",
    write: (line) => this.lines.push(line.slice(line.indexOf("level="), -1)),
    wallMs: () => 0,
    monotonicNs: () => 0,
    journal: false,
    sessionId: "",
  });
  readonly muting: Muting;
  readonly acts: Acts;
  readonly #nonces = new Map<number, bigint>();

  constructor(options: TickHarnessOptions = {}) {
    super(options);
    const { observer, recovery, log } = this;
    const { tracker, clock } = observer;
    this.muting = new Muting({
      agents: tracker.table.agents,
      log,
      nowNs: () => clock.lastNs,
      unmuted: () => recovery.held.unmuted(),
      exported: {
        missing: ({ agent }) => this.diary.push(`export missing ${agent}`),
        complete: ({ agent }) => this.diary.push(`export complete ${agent}`),
        muted: (event) => this.muteEvents.push(event),
      },
      events: { missing: () => {}, complete: () => {}, muted: () => {} },
      reports: {
        missing: ({ agent }, isMuted) =>
          this.diary.push(`missing ${agent}${isMuted ? " muted" : ""}`),
        complete: ({ agent }, wasTold) =>
          this.diary.push(`complete ${agent}${wasTold ? "" : " untold"}`),
      },
    });
    this.acts = new Acts({
      observer,
      recovery,
      muting: this.muting,
      search: new MemberSearch({
        tracker,
        expected: { expectedOf: (number) => this.expectedOf(number), missingOf: () => 0 },
        nowNs: () => clock.lastNs,
      }),
      log,
      acted: (act) => this.acted.push(act),
      nowNs: () => clock.lastNs,
      unixMsAtStart: () => 0,
      userName: (uid) => (uid === DANA.uid ? "dana" : `${uid}`),
    });
  }

  /** How many members the agent of a number has to have. */
  expectedOf: (number: number) => number = () => 0;

  override isMuted(stall: Stall, nowNs: number): boolean {
    return this.muting.isMuted(stall, nowNs);
  }

  /** The pids beat once more, each as an agent of the name of its command. */
  beat(...pids: readonly number[]): void {
    for (const pid of pids) {
      const nonce = (this.#nonces.get(pid) ?? 0n) + 1n;
      this.#nonces.set(pid, nonce);
      this.listener.queue([beatOf(pid, { nonce })]);
    }
  }

  /** Watches processes by the names of their commands; all have beaten twice. */
  watch(commands: Readonly<Record<number, string>>): void {
    const pids = Object.keys(commands).map(Number);
    for (const pid of pids) {
      this.processes.set(pid, pid);
      this.identities.table.set(pid, { comm: commands[pid]! });
    }
    for (let times = 0; times < 2; times++) {
      this.beat(...pids);
      this.turn();
      this.turn();
    }
  }

  /** One turn and what is due after it, without what a turn always says. */
  override turn(): string[] {
    const diary = super.turn();
    this.muting.maintain(this.observer.clock.lastNs);
    this.acts.maintain(this.observer.clock.lastNs);
    diary.push(...this.diary.splice(0));
    return diary.filter((line) => !/^export (at|\d+ rows)/.test(line));
  }

  /** Turns until nothing happens any more. */
  turns(): string[] {
    return [0, 1, 2, 3].flatMap(() => this.turn());
  }
}
