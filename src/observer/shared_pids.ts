// Pids that several sources claim by plain UDP: each source is watched as a member of its own, and
// an operator who does not know it would take one for the other. Kept until it is reported, which
// may be much later: the last one stands for all.
import { IP_WORDS, ipText } from "../base/ip_text.ts";
import type { Datagram } from "../events/datagram.ts";
import type { SlotsView } from "../tracker/slots.ts";

/** A pid that was claimed again. */
export interface SharedPid {
  readonly pid: number;
  /** Who claimed it now, and who holds it; "" = a sender with a key. */
  readonly source: string;
  readonly holder: string;
  /** Beats of sources whose pid another one holds, since the last call. */
  readonly beats: number;
}

export class SharedPids {
  #pid = 0;
  #beats = 0;
  readonly #source = new Uint32Array(IP_WORDS);
  readonly #holder = new Uint32Array(IP_WORDS);
  #hasSource = false;
  #hasHolder = false;

  /** A datagram whose pid another source holds: in slot `holder`, -1 = by now in none. */
  note({ pid, sources, sourceAt }: Datagram, slots: SlotsView, holder: number): void {
    this.#pid = pid;
    this.#beats += 1;
    this.#hasSource = sources !== undefined;
    this.#hasHolder = holder >= 0 && slots.hasSource(holder);
    for (let word = 0; word < IP_WORDS; word++) {
      if (sources !== undefined) this.#source[word] = sources[sourceAt + word]!;
      if (this.#hasHolder) this.#holder[word] = slots.source[holder * IP_WORDS + word]!;
    }
  }

  /** What was noted since the last call, undefined if nothing was. */
  take(): SharedPid | undefined {
    if (this.#beats === 0) return undefined;
    const shared = {
      pid: this.#pid,
      source: this.#hasSource ? ipText(this.#source, 0) : "",
      holder: this.#hasHolder ? ipText(this.#holder, 0) : "",
      beats: this.#beats,
    };
    this.#beats = 0;
    return shared;
  }
}
