// Messages of sd_notify against the slow reader: lines of every field with good and hostile values,
// cut, damaged and too long, at any place of an arena that stays as it was.
import {
  NOTIFY_OK,
  NOTIFY_REFUSALS,
  NotifyMessage,
  SAID_BARRIER,
  SAID_BEAT,
  SAID_ERRNO,
  SAID_EXTEND_USEC,
  SAID_MAINPID,
  SAID_NAME,
  SAID_READY,
  SAID_RELOADING,
  SAID_STATUS,
  SAID_STOPPING,
  SAID_TRIGGER,
  SAID_WATCHDOG_USEC,
} from "../../src/wire/notify_message.ts";
import { referenceMessage } from "../reference/notify_message.ts";
import type { Random } from "../simulation/random.ts";
import { damage, randomBytes } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const MESSAGES_PER_ROUND = 64;
const ARENA_BYTES = 5_000;
const FIELDS = [
  ...["WATCHDOG", "WATCHDOG", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "READY", "STOPPING"],
  ...["RELOADING", "BARRIER", "ERRNO", "MAINPID", "STATUS", "X_VARTA_NAME", "FDSTORE", "WATCH", ""],
];
const VALUES = [
  ...["1", "1", "1", "0", "trigger", "2000000", "9".repeat(19), "9".repeat(20), "5s", "infinity"],
  ...["", "-1", " 1", "4095", "4096", "4194304", "4194305", "web-1", "other", "a=b", "1\r"],
];

export class NotifyTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #message = new NotifyMessage();
  readonly #arena = new Uint8Array(ARENA_BYTES);

  round(random: Random): void {
    this.#arena.set(randomBytes(random, ARENA_BYTES));
    for (let i = 0; i < MESSAGES_PER_ROUND; i++) this.#one(random);
  }

  [Symbol.dispose](): void {}

  #one(random: Random): void {
    const datagram = notifyCandidate(random);
    const at = random.below(ARENA_BYTES - datagram.length + 1);
    this.#arena.set(datagram, at);
    const before = Bun.hash(this.#arena);
    const code = this.#message.read(this.#arena, at, datagram.length);
    same("the arena after read()", Bun.hash(this.#arena), before);
    const what = `read() of ${JSON.stringify(Buffer.from(datagram).toString("latin1"))}`;
    const wanted = referenceMessage(datagram);
    same(what, NOTIFY_REFUSALS[code], wanted.refusal);
    count(this, code === NOTIFY_OK ? "ok" : NOTIFY_REFUSALS[code]!);
    const found = this.#fields();
    for (const field of Object.keys(found)) count(this, field);
    same(what, sorted(found), sorted("fields" in wanted ? rounded(wanted.fields) : {}));
  }

  #fields(): Record<string, string | number> {
    const { said, watchdogUsec, extendUsec, errno, mainPid } = this.#message;
    const { statusAt, statusBytes, nameAt, nameBytes } = this.#message;
    const text = (at: number, length: number) =>
      Buffer.from(this.#arena.subarray(at, at + length)).toString("latin1");
    const rows: [number, string, string | number][] = [
      [SAID_BEAT, "WATCHDOG=1", "1"],
      [SAID_TRIGGER, "WATCHDOG=trigger", "trigger"],
      [SAID_READY, "READY", 1],
      [SAID_STOPPING, "STOPPING", 1],
      [SAID_RELOADING, "RELOADING", 1],
      [SAID_BARRIER, "BARRIER", 1],
      [SAID_WATCHDOG_USEC, "WATCHDOG_USEC", watchdogUsec],
      [SAID_EXTEND_USEC, "EXTEND_TIMEOUT_USEC", extendUsec],
      [SAID_ERRNO, "ERRNO", errno],
      [SAID_MAINPID, "MAINPID", mainPid],
      [SAID_STATUS, "STATUS", text(statusAt, statusBytes)],
      [SAID_NAME, "X_VARTA_NAME", text(nameAt, nameBytes)],
    ];
    const found = rows.filter(([bit]) => (said & bit) !== 0);
    return rounded(Object.fromEntries(found.map(([, field, value]) => [field, value])));
  }
}

/** Above 2^53 the two readers may round the last digits otherwise. */
function rounded(
  fields: Readonly<Record<string, string | number>>,
): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [
      field,
      typeof value === "number" && value > 2 ** 53 ? Number(value.toPrecision(12)) : value,
    ]),
  );
}

function sorted(fields: Readonly<Record<string, string | number>>): unknown[] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A message, or what is none. */
export function notifyCandidate(random: Random): Uint8Array {
  if (random.chance(0.02)) return randomBytes(random, random.below(300));
  const lines = Array.from({ length: random.below(7) }, () => line(random));
  const end = random.pick(["", "\n", "\n", "\0", "\0\0", "\n\n"]);
  const bytes = new TextEncoder().encode(lines.join("\n") + end);
  if (random.chance(0.3)) damage(random, bytes);
  if (random.chance(0.1)) return bytes.subarray(0, random.below(bytes.length + 1));
  if (!random.chance(0.03)) return bytes;
  // About the bound, with a line that would be obeyed in front.
  const long = new Uint8Array(random.between(4_090, 4_100)).fill(0x78);
  long.set(bytes);
  return long;
}

function line(random: Random): string {
  if (random.chance(0.05)) return "";
  const field = random.pick(FIELDS);
  if (field === "STATUS" && random.chance(0.5)) {
    const letter = random.pick(["x", "\u00e9", "\u20ac", "\u{1f600}", "\u001b"]);
    return `STATUS=${"y".repeat(random.below(4))}${letter.repeat(random.between(40, 260))}`;
  }
  return `${field}${random.chance(0.95) ? "=" : ""}${random.pick(VALUES)}`;
}
