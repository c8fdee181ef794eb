// Hellos and byes that were taken, and those that were none (spec 01 section 9).
import { block, Counters, counter } from "../base/counters.ts";
import { CONTROL_BYE } from "../wire/control_datagram.ts";

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

export class Greetings {
  readonly counters = new Counters(GREETINGS, this);
  /** Keys of members on other machines that said bye since they were last taken. */
  #byes: number[] = [];

  /** One was taken; a CONTROL code says which. */
  took(kind: number): void {
    this.counters.add(kind === CONTROL_BYE ? GREETINGS.taken.bye : GREETINGS.taken.hello);
  }

  /** One was none; `code` is that of its error. */
  wasNone(code: number): void {
    this.counters.add(GREETINGS.invalid[ERROR_KINDS[code - 1]!]);
  }

  /** A member that no process here can be watched for has said bye. */
  bade(key: number): void {
    this.#byes.push(key);
  }

  get hasByes(): boolean {
    return this.#byes.length > 0;
  }

  takeByes(): readonly number[] {
    const byes = this.#byes;
    this.#byes = [];
    return byes;
  }
}
