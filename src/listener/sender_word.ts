// When the kernel is asked who really sent a datagram (SO_PASSPIDFD, Linux 6.5): its descriptor is
// that of the very process, whatever process has the pid by now. It costs 2.4 us per datagram and a
// descriptor until the batch was handled, so it is asked on a quiet socket, where that is nothing,
// and where nothing else can show it: a sender is in doubt, and a socket that is never seen empty
// cannot prove it. Only a socket that takes no descriptors from senders may ask (SO_PASSRIGHTS,
// Linux 6.16): theirs would come first, and enter this process.
import { SO_PASSPIDFD, SO_PASSRIGHTS } from "../../ffi/constants.ts";
import { setSocketOption } from "../../ffi/socket.ts";

/**
 * Datagrams in a tick of a hundredth of a second up to which a socket is quiet: asking for 400 a
 * second takes 1 ms.
 */
const QUIET_PER_TICK = 4;
/**
 * Ticks without an empty socket after which a sender in doubt is asked for, and for how long after
 * its last beat.
 */
const CROWDED_TICKS = 10;
const DOUBT_TICKS = 100;
/**
 * Ticks without a question after one that found no descriptor number: they are wanted for other
 * things then.
 */
const REST_TICKS = 100;

export class SenderWord {
  readonly #fd: number;
  #mayAsk: boolean;
  #isAsked = false;
  #tick = Number.NaN;
  #wasQuiet = true;
  #datagramCount = 0;
  #doubtEndTick = Number.NEGATIVE_INFINITY;
  #restEndTick = Number.NEGATIVE_INFINITY;

  /**
   * `mayHoldRights` = something may wait in it that came before descriptors were refused: then the
   * kernel is not asked.
   */
  constructor(fd: number, mayHoldRights = false) {
    this.#fd = fd;
    this.#mayAsk = setSocketOption(fd, SO_PASSRIGHTS, 0) === 0 && !mayHoldRights;
  }

  /**
   * Whether the receive at `tick`, of a socket that was last seen empty at `emptyTick`, gives
   * pidfds.
   */
  decide(tick: number, emptyTick: number): boolean {
    if (!this.#mayAsk) return false;
    if (tick !== this.#tick) {
      this.#wasQuiet = tick !== this.#tick + 1 || this.#datagramCount <= QUIET_PER_TICK;
      this.#datagramCount = 0;
      this.#tick = tick;
    }
    const isQuiet = this.#wasQuiet && this.#datagramCount <= QUIET_PER_TICK;
    const isCrowded = tick < this.#doubtEndTick && tick - emptyTick > CROWDED_TICKS;
    const asks = tick >= this.#restEndTick && (isQuiet || isCrowded);
    if (asks !== this.#isAsked) this.#ask(asks);
    return this.#isAsked;
  }

  received(count: number): void {
    if (count > 0) this.#datagramCount += count;
  }

  /** A beat of the last receive does not prove its sender. */
  doubt(): void {
    this.#doubtEndTick = this.#tick + DOUBT_TICKS;
  }

  /** The last receive found no descriptor number for a pidfd. */
  rest(): void {
    this.#restEndTick = this.#tick + REST_TICKS;
  }

  #ask(isAsked: boolean): void {
    if (setSocketOption(this.#fd, SO_PASSPIDFD, isAsked ? 1 : 0) === 0) this.#isAsked = isAsked;
    // No kernel refuses descriptors and has no pidfds, but a filter of system calls may act so.
    else if (isAsked) this.#mayAsk = false;
  }
}
