// Hellos and byes that were taken, and those that were none (spec 01 section 9).
import { askedOfInterval } from "../agents/asked_terms.ts";
import { block, Counters, counter } from "../base/counters.ts";
import type { Datagram } from "../events/datagram.ts";
import type { ReceivedBatch } from "../listener/received_batch.ts";
import type { Bye } from "../tracker/farewells.ts";
import type { SlotTable } from "../tracker/slot_table.ts";
import {
  CONTROL_BYE,
  CONTROL_HELLO,
  controlIntervalMs,
  controlName,
} from "../wire/control_datagram.ts";

/** Label values, in the order of the codes from 1 on. */
const ERROR_KINDS = [
  "bad_magic",
  "bad_version",
  "bad_crc",
  "bad_kind",
  "bad_pid",
  "bad_nonce",
  "bad_name",
] as const;

export const GREETINGS = block({
  taken: counter("varta_control_datagrams_total", "Hellos and byes that were taken.", {
    label: "kind",
    values: ["hello", "bye"],
  }),
  invalid: counter(
    "varta_control_datagrams_invalid_total",
    "Datagrams of the size of a hello that are none, by what was wrong first.",
    { label: "error", values: ERROR_KINDS },
  ),
});

/** The tracker's key of the member that said it, and its number. */
export interface KeyedBye extends Bye {
  readonly key: number;
}

export class Greetings {
  readonly counters = new Counters(GREETINGS, this);
  /** Of members on other machines, since they were last taken. */
  #byes: KeyedBye[] = [];

  /** One was taken: what it says is done. A bye of who is not here has no slot. */
  took(datagram: Datagram, batch: ReceivedBatch, table: SlotTable): void {
    const { control, slot, key, peerPid, nonceHi, nonceLo, frameWord: w } = datagram;
    this.counters.add(control === CONTROL_BYE ? GREETINGS.taken.bye : GREETINGS.taken.hello);
    if (slot < 0) return;
    if (control === CONTROL_HELLO) {
      const askedNs = askedOfInterval(controlIntervalMs(batch.words, w));
      table.greet(slot, controlName(batch.bytes, w), askedNs);
    } else if (peerPid === 0) this.#byes.push({ key, nonceHi, nonceLo });
  }

  /** One was none; `code` is that of its error. */
  wasNone(code: number): void {
    this.counters.add(GREETINGS.invalid[ERROR_KINDS[code - 1]!]);
  }

  get hasByes(): boolean {
    return this.#byes.length > 0;
  }

  takeByes(): readonly KeyedBye[] {
    const byes = this.#byes;
    this.#byes = [];
    return byes;
  }
}
