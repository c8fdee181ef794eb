// The signals that the daemon takes (spec 12 section 6): which of them ask for the end, and which
// for something else. All others keep the system's action.
import { monotonicNs } from "./monotonic.ts";
import { StopSignals } from "./stop_signals.ts";

interface SignalHandlers {
  /** The end is asked for. */
  stop(signal: NodeJS.Signals): void;
  /** It is asked for once more: nothing is waited for any longer. */
  stopAgain(signal: NodeJS.Signals): void;
  /** SIGHUP: the configuration should be read again. */
  hangup(): void;
  /** SIGUSR1: the state should be written to the log. */
  dump(): void;
  /** SIGCONT: it was stopped, or may have been. */
  continued(): void;
}

export class Signals {
  readonly #taken: [NodeJS.Signals, (signal: NodeJS.Signals) => void][];

  /** Takes the signals, SIGHUP also where it was inherited as ignored. */
  constructor(handlers: SignalHandlers) {
    const stops = new StopSignals();
    const stop = (signal: NodeJS.Signals) => {
      const request = stops.take(signal, monotonicNs());
      if (request === "again") handlers.stopAgain(signal);
      handlers.stop(signal);
    };
    this.#taken = [
      ["SIGTERM", stop],
      ["SIGINT", stop],
      ["SIGUSR1", () => handlers.dump()],
      ["SIGCONT", () => handlers.continued()],
      ["SIGPIPE", () => {}],
      ["SIGHUP", () => handlers.hangup()],
    ];
    for (const [signal, handler] of this.#taken) process.on(signal, handler);
  }

  /** Gives them back to the system. */
  release(): void {
    for (const [signal, handler] of this.#taken.splice(0)) process.off(signal, handler);
  }
}
