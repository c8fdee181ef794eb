// The remembered head and the audit log in any state: good texts, shredded ones, and logs
// under keys. The head must agree with its slow twin; a log of which anything but the last line was
// changed must never be called intact.
import { type ChainKey, chainKey } from "../../src/audit/chain.ts";
import { parseHeadRecord } from "../../src/audit/head_record.ts";
import { Verifier } from "../../src/audit/verify.ts";
import { twinHeadSeq, twinHeadText } from "../reference/audit_head.ts";
import { AuditWriterTwin, TWIN_HEADER, twinKeyId } from "../reference/audit_writer_twin.ts";
import type { Random } from "../simulation/random.ts";
import { damage } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const KEYS = ["1f".repeat(32), "2e".repeat(32)];
const CHAIN_KEYS = KEYS.map((hex) => chainKey(Buffer.from(hex, "hex")));
/** So many that a busy machine reaches everything in its first round, too. */
const LOGS_PER_ROUND = 64;
const LF = 0x0a;
const HASH = 0x23;

export class AuditTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();

  round(random: Random): void {
    for (let log = 0; log < LOGS_PER_ROUND; log++) {
      this.#head(random);
      this.#log(random);
    }
  }

  [Symbol.dispose](): void {}

  #head(random: Random): void {
    const keyHex = random.chance(0.5) ? random.pick(KEYS) : undefined;
    const seq = random.chance(0.2)
      ? random.pick([0, 1, 2 ** 52, 2 ** 52 + 2, 2 ** 53])
      : random.u32();
    const file = `/${"\u00e9".repeat(random.below(3))}${random.below(9)}"\\`;
    const bytes = Buffer.from(twinHeadText({ file, seq, chain: "ab".repeat(32), keyHex }));
    const isDamaged = random.chance(0.7);
    if (isDamaged) damage(random, viewOf(bytes));
    const parsed = parseHeadRecord(bytes, CHAIN_KEYS);
    const found = parsed.ok && parsed.isChecked ? parsed.record.seq : undefined;
    const text = bytes.toString("utf8");
    const wanted = [undefined, ...KEYS].map((hex) => twinHeadSeq(text, hex));
    same(
      `the head ${JSON.stringify(text)}`,
      found,
      wanted.find((one) => one !== undefined),
    );
    count(this, found === undefined ? "bad head" : "good head");
  }

  #log(random: Random): void {
    const bytes = logOf(random);
    const lastLine = bytes.lastIndexOf(LF, bytes.length - 2) + 1;
    const before = Buffer.from(bytes);
    // The version in the header, which is under no chain.
    if (random.chance(0.1)) bytes[TWIN_HEADER.length - 2] = random.pick([0x31, 0x33, 0x20]);
    else if (random.chance(0.8)) damage(random, viewOf(bytes));
    const isChanged = !bytes.equals(before);
    const keys = random.chance(0.6) ? CHAIN_KEYS : CHAIN_KEYS.slice(1);
    const worst = verify(bytes, keys);
    count(this, `log ${worst}`);
    if (!isChanged && keys === CHAIN_KEYS) same("an unchanged log", worst, "note");
    if (!isChanged && worst !== "note") same("an unchanged log without its key", worst, "key");
    // The last line may have become a comment: that is what a remembered head is for.
    const isCutAtEnd = bytes.subarray(0, lastLine).equals(before.subarray(0, lastLine));
    if (isChanged && !(isCutAtEnd && bytes[lastLine] === HASH) && worst === "note")
      throw new Error(`a changed log is called intact:\n${bytes.toString("latin1")}`);
  }
}

function verify(bytes: Buffer, keys: readonly ChainKey[]): string {
  const verifier = new Verifier({ onFinding: () => {}, keys });
  verifier.beginFile("log");
  let start = 0;
  for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, start)) {
    verifier.line(bytes.subarray(start, lf), true);
    start = lf + 1;
  }
  if (start < bytes.length) verifier.line(bytes.subarray(start), false);
  return verifier.finish().worst;
}

/** A Buffer refuses to fill beyond its end. */
function viewOf(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * A log whose end is under a key; its sections are under that key, another one, or none at the
 * front.
 */
function logOf(random: Random): Buffer {
  const twin = new AuditWriterTwin();
  if (random.chance(0.5)) twin.keyHex = random.pick(KEYS);
  const idOf = () => (twin.keyHex === undefined ? [] : [twinKeyId(twin.keyHex)]);
  twin.add("boot", 1, "-", "fresh", ...idOf());
  for (let sections = 1 + random.below(3); sections > 0; sections--) {
    for (let rows = random.below(4); rows > 0; rows--)
      twin.add("refused", random.below(5), "debounced");
    const before = twin.chain;
    twin.keyHex = random.pick(KEYS);
    twin.add("boot", 1, before, random.pick(["keyed", "resume"]), ...idOf());
  }
  twin.add("refused", 9, "debounced");
  return Buffer.from(twin.text);
}
