// Hellos and byes against the slow codec, as the target of beats has it: good ones, damaged ones,
// and damaged ones with a right CRC, at every place of a larger arena, which stays as it was.
import { u64FromPair } from "../../src/base/u64.ts";
import {
  CONTROL_ERROR_NAMES,
  CONTROL_HELLO,
  CONTROL_OK,
  controlIntervalMs,
  controlKind,
  controlName,
  controlNonceHi,
  controlNonceLo,
  controlPid,
  decodeControl,
  encodeControl,
} from "../../src/wire/control_datagram.ts";
import { PID_INIT, PID_MIN } from "../../src/wire/frame.ts";
import { referenceControlBytes, referenceControlDatagram } from "../reference/control_datagram.ts";
import { referenceCrc32c } from "../reference/frame.ts";
import type { Random } from "../simulation/random.ts";
import { damage, randomBytes } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const DATAGRAMS_PER_ROUND = 64;
const ARENA_WORDS = 40;
const NAMES = ["", "a", "web-1", "other", "12", "a/b", "a\0b", "\0", "\u00ff", "x".repeat(40)];

export class ControlDatagramTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();
  readonly #words = new Uint32Array(ARENA_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  round(random: Random): void {
    for (let i = 0; i < DATAGRAMS_PER_ROUND; i++) this.#one(random);
  }

  [Symbol.dispose](): void {}

  #one(random: Random): void {
    const words = this.#words;
    const w = random.below(ARENA_WORDS - 15);
    this.#bytes.set(randomBytes(random, this.#bytes.length));
    const datagram = this.#bytes.subarray(w * 4, w * 4 + 64);
    datagram.set(candidate(random));
    const before = this.#bytes.toHex();
    const pidMin = random.pick([PID_MIN, PID_INIT]);
    const code = decodeControl({ words, bytes: this.#bytes }, w, pidMin);
    same("the arena after decodeControl()", this.#bytes.toHex(), before);
    const hex = datagram.toHex();
    const wanted = referenceControlDatagram(datagram, pidMin);
    same(`decodeControl() of ${hex}`, CONTROL_ERROR_NAMES[code], wanted.error ?? "");
    count(this, code === CONTROL_OK ? "ok" : CONTROL_ERROR_NAMES[code]!);
    if (wanted.error !== undefined) return;
    const kind = controlKind(words, w);
    const pid = controlPid(words, w);
    const nonce = u64FromPair(controlNonceHi(words, w), controlNonceLo(words, w));
    same(`the fields of ${hex}`, [kind, pid, nonce], [wanted.kind, wanted.pid, wanted.nonce]);
    if (kind !== CONTROL_HELLO) return;
    const intervalMs = controlIntervalMs(words, w);
    const name = controlName(this.#bytes, w);
    same(`the hello of ${hex}`, [intervalMs, name], [wanted.intervalMs, wanted.name]);
    const again = encodeControl({ kind: "hello", pid, nonce, intervalMs, name });
    same(`encodeControl() of the fields of ${hex}`, again.toHex(), hex);
  }
}

function candidate(random: Random): Uint8Array {
  if (random.chance(0.03)) return randomBytes(random, 64);
  const bytes = referenceControlBytes({
    kind: random.pick([0, 1, 1, 1, 1, 2, 2, 3]),
    pid: random.pick([0, 1, 2, 3, random.u32(), random.u32()]),
    nonce: random.pick([0n, 2n ** 64n - 1n, 2n ** 64n - 2n, BigInt(random.u32()) << 13n]),
    intervalMs: random.pick([0, 1, 1_000, random.u32()]),
    name: random.pick(NAMES),
  });
  if (random.chance(0.4)) damage(random, bytes);
  if (random.chance(0.8)) {
    // Most of the damage is not to be known by the first bytes or by the CRC.
    bytes.set([0x56, 0x43, 1]);
    new DataView(bytes.buffer).setUint32(60, referenceCrc32c(bytes, 60), true);
  }
  return bytes;
}
