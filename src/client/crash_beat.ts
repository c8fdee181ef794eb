// The last beat of a process that dies of its own error. The handlers only watch: the error is
// still printed, the exit code and everything else stay as they would be without them. An error
// that the host handles itself is no crash.
import { processWide } from "./process_wide.ts";

interface CrashBeatSender {
  crashBeat(): unknown;
}

/**
 * Sends a crash beat through `sender` when the process dies of an uncaught error. A second call
 * changes nothing.
 */
export function installCrashBeat(sender: CrashBeatSender): void {
  crashBeats().add(sender);
}

/** Undoes `installCrashBeat`. */
export function removeCrashBeat(sender: CrashBeatSender): void {
  crashBeats().remove(sender);
}

const IS_BUN = process.versions["bun"] !== undefined;
const NOTHING = Symbol("no error yet");

class CrashBeats {
  readonly #senders = new Set<CrashBeatSender>();
  readonly #onException = (error: unknown) => this.#exception(error);
  readonly #onRejection = (reason: unknown) => this.#rejection(reason);
  /** Under --unhandled-rejections=throw or strict one error comes to both handlers. */
  #announced: unknown = NOTHING;

  add(sender: CrashBeatSender): void {
    this.#senders.add(sender);
    this.#listen();
  }

  remove(sender: CrashBeatSender): void {
    this.#senders.delete(sender);
    if (this.#senders.size === 0) this.#ignore();
  }

  #listen(): void {
    this.#ignore();
    process.on("uncaughtExceptionMonitor", this.#onException);
    if (IS_BUN) process.on("unhandledRejection", this.#onRejection);
  }

  #ignore(): void {
    process.off("uncaughtExceptionMonitor", this.#onException);
    process.off("unhandledRejection", this.#onRejection);
  }

  #exception(error: unknown): void {
    if (process.listenerCount("uncaughtException") > 0) return;
    this.#send(error);
  }

  // Bun alone announces a rejection to no monitor, and a listener for it saves the process. So the
  // listener is removed and the rejection repeated: the second one ends the process as the first
  // would have.
  #rejection(reason: unknown): void {
    if (process.listenerCount("unhandledRejection") > 1) return;
    if (reason === this.#announced) return;
    process.off("unhandledRejection", this.#onRejection);
    this.#send(reason);
    Promise.reject(reason);
  }

  #send(error: unknown): void {
    if (error === this.#announced) return;
    this.#announced = error;
    for (const sender of this.#senders) sender.crashBeat();
  }
}

function crashBeats(): CrashBeats {
  return processWide("crash_beats", () => new CrashBeats());
}
