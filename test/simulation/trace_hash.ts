// A hash over everything that a run did, in order: two runs with the same hash did the same. Not
// cryptographic.

export class TraceHash {
  #low = 0x811c_9dc5;
  #high = 0xcbf2_9ce4;

  /** Any f64; NaN is one value. */
  number(value: number): void {
    const whole = Number.isNaN(value) ? 2 ** 53 : Math.trunc(value);
    this.#word((whole % 2 ** 32) | 0);
    this.#word(Math.trunc(whole / 2 ** 32) | 0);
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.#word(text.charCodeAt(i));
    this.#word(-1);
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#word(byte);
    this.#word(-2);
  }

  /** 16 hex digits. */
  digest(): string {
    return [this.#high, this.#low].map((half) => half.toString(16).padStart(8, "0")).join("");
  }

  #word(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x0100_0193) >>> 0;
    const mixed = Math.imul(this.#high ^ this.#low, 0x85eb_ca6b);
    this.#high = (mixed ^ (mixed >>> 15)) >>> 0;
  }
}
