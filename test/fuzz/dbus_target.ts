// Answers of a bus: properties of any type under any names, as they are, cut and damaged. What is
// whole is read as it was written; of what is not nothing is made that was not there, and no read
// goes beyond the end or takes long.
import { messageSize, readMessage } from "../../src/systemd/dbus_message.ts";
import { readUnitState } from "../../src/systemd/unit_state.ts";
import type { Random } from "../simulation/random.ts";
import {
  type DbusValue,
  encodeMessage,
  ENDED_SERVICE,
  i,
  type Properties,
  propertiesReply,
  s,
  t,
  typesOf,
  u,
} from "../systemd/dbus_encoder.ts";
import { damage } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const TYPES = [
  ...[
    "y",
    "b",
    "n",
    "q",
    "i",
    "u",
    "x",
    "t",
    "s",
    "o",
    "g",
    "v",
    "as",
    "ay",
    "at",
    "a(sb)",
    "av",
    "ag",
  ],
  ...["(st)", "(s(ii)as)", "a{sv}", "aas", "a(a(yt)s)", "(y(y(y(yy))))", "a(sasbttttuii)"],
];
const BYTES_MAX = 20_000;

export class DbusTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();

  round(random: Random): void {
    const bigEndian = random.chance(0.3);
    const pid = random.u32();
    const status = random.below(2 ** 31) - 2 ** 30;
    const properties: Properties = shuffled(random, [
      ...others(random),
      ["ExecMainPID", u(pid)],
      ["ExecMainStatus", i(status)],
      ["ExecMainExitTimestampMonotonic", t(random.below(2 ** 53))],
      ["ActiveState", s("failed")],
    ]);
    const bytes = propertiesReply(properties, random.u32(), bigEndian);
    same("the size of a message", messageSize(bytes), bytes.length);
    const state = readUnitState(readMessage(bytes)!);
    same("what was written", [state?.mainPid, state?.mainStatus], [pid, status]);
    same("its state", state?.activeState, "failed");
    count(this, "whole");
    this.#broken(random, bytes);
    this.#broken(random, propertiesReply(ENDED_SERVICE, 2, bigEndian));
    this.#broken(
      random,
      encodeMessage({
        type: 3,
        fields: [
          [4, "s", "a.b"],
          [5, "u", 2],
        ],
      }),
    );
  }

  [Symbol.dispose](): void {}

  #broken(random: Random, whole: Uint8Array): void {
    const bytes = Uint8Array.from(whole);
    damage(random, bytes);
    const end = random.chance(0.5) ? bytes.length : random.below(bytes.length + 1);
    const cut = bytes.subarray(0, end);
    const size = messageSize(cut);
    if (size < 0) count(this, "no message");
    else if (size === 0 || size > cut.length) count(this, "more");
    const message = cut.length < 16 ? undefined : readMessage(cut);
    if (message === undefined) return;
    const state = readUnitState(message);
    count(this, state === undefined ? "refused" : "read");
    if (state === undefined) return;
    for (const value of Object.values(state))
      if (typeof value === "number" && !(Math.abs(value) <= 2 ** 64))
        throw new Error(`a number that cannot be sent: ${value}`);
      else if (typeof value === "string" && value.length > BYTES_MAX)
        throw new Error("a text that is longer than its message");
  }
}

function others(random: Random): [string, { signature: string; value: DbusValue }][] {
  return Array.from({ length: random.below(12) }, (_, index) => {
    const signature = random.pick(TYPES);
    return [`Other${index}`, { signature, value: anyValue(random, signature, 0) }];
  });
}

function anyValue(random: Random, type: string, depth: number): DbusValue {
  if (type[0] === "a")
    return Array.from({ length: random.below(4) }, () =>
      anyValue(random, type.slice(1), depth + 1),
    );
  if (type[0] === "(" || type[0] === "{")
    return typesOf(type.slice(1, -1)).map((one) => anyValue(random, one, depth + 1));
  if (type === "v") {
    const signature = depth > 4 ? "s" : random.pick(TYPES);
    return { signature, value: anyValue(random, signature, depth + 1) };
  }
  if (type === "s" || type === "o") return "x".repeat(random.below(20));
  return type === "g" ? random.pick(TYPES) : random.below(256);
}

function shuffled<Value>(
  random: Random,
  entries: readonly [string, Value][],
): Readonly<Record<string, Value>> {
  const rest = [...entries];
  const result: Record<string, Value> = {};
  while (rest.length > 0) {
    const [[name, value]] = rest.splice(random.below(rest.length), 1) as [[string, Value]];
    result[name] = value;
  }
  return result;
}
