// What a client says of beats that were not sent: one warning of the process for a cause, and again
// after a minute at the earliest. Warnings go to stderr, or to who listens for "warning".

const AGAIN_MS = 60_000;

export class Complaints {
  readonly #endpoint: string;
  readonly #saidAtMs = new Map<string, number>();

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  say(cause: string, text: string): void {
    const nowMs = performance.now();
    const saidAtMs = this.#saidAtMs.get(cause);
    if (saidAtMs !== undefined && nowMs - saidAtMs < AGAIN_MS) return;
    this.#saidAtMs.set(cause, nowMs);
    process.emitWarning(`${text} [${this.#endpoint}]`, { type: "VartaWatch", code: cause });
  }
}
