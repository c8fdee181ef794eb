import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import {
  CHAIN_START,
  ChainHead,
  chainBytes,
  chainKey,
  chainOf,
  isKeyId,
} from "../../src/audit/chain.ts";
import { TWIN_ZEROS, twinChain } from "../reference/audit_writer_twin.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const GOLDEN_1 = "ea3737cc98db3db7f5be0f369c21b100c0eae318b0b050d67bb2ac80553435e8";
const GOLDEN_2 = "2a069e7b0bdb651148316b51bfcd8fedc571573908869f90097ce1046a3bcfbe";

const KEY_HEX = "0123456789abcdef".repeat(4);
const KEY = chainKey(Buffer.from(KEY_HEX, "hex"));

function plain(kind: string, previous: Uint8Array, body: Uint8Array): Buffer {
  return chainOf({ kind, previous, body, key: undefined });
}

describe("chainKey()", () => {
  test("names a key without telling it", () => {
    expect(isKeyId(KEY.id)).toBe(true);
    expect(KEY_HEX).not.toContain(KEY.id);
    const other = chainKey(Buffer.from(KEY_HEX.replace("0", "1"), "hex"));
    expect(other.id).not.toBe(KEY.id);
  });
});

describe("chainOf()", () => {
  test("gives the first golden value: a boot record after 32 zero bytes", () => {
    const body = Buffer.from("1\t1700000000000\t0\tboot\t1234\t-\tfresh");
    expect(plain("boot", CHAIN_START, body).toString("hex")).toBe(GOLDEN_1);
  });

  test("gives the second golden value: a refusal after the first", () => {
    const body = Buffer.from("2\t1700000001000\t5000000000\trefused\t4242\tsocket_mode_only");
    expect(plain("refused", chainBytes(GOLDEN_1)!, body).toString("hex")).toBe(GOLDEN_2);
  });

  test("tells ('ab', 'cd') from ('abcd', '')", () => {
    const a = plain("ab", CHAIN_START, Buffer.from("cd"));
    expect(a.equals(plain("abcd", CHAIN_START, Buffer.from("")))).toBe(false);
  });

  test("agrees with its slow twin", () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.constantFrom("boot", "spawn"), bytes, fc.string(), (kind, before, body) => {
        const hex = Buffer.from(before).toString("hex");
        const chain = plain(kind, before, Buffer.from(body)).toString("hex");
        expect(chain).toBe(twinChain(hex, kind, body));
        const keyed = chainOf({ kind, previous: before, body: Buffer.from(body), key: KEY });
        expect(keyed.toString("hex")).toBe(twinChain(hex, kind, body, KEY_HEX));
      }),
    );
  });
});

describe("chainBytes()", () => {
  test.each(["", "-", TWIN_ZEROS.slice(1), `${TWIN_ZEROS}0`, "A".repeat(64), "g".repeat(64)])(
    "refuses %p",
    (text) => {
      expect(chainBytes(text)).toBeUndefined();
    },
  );
});

describe("ChainHead", () => {
  test("numbers rows from 1, links each to the one before and ends them with LF", () => {
    const head = new ChainHead(0, CHAIN_START, undefined);
    const first = head.seal("boot", "1700000000000\t0\tboot\t1234\t-\tfresh", 0).toString();
    expect(first).toBe(`1\t1700000000000\t0\tboot\t1234\t-\tfresh\t${GOLDEN_1}\n`);
    const fields = "1700000001000\t5000000000\trefused\t4242\tsocket_mode_only";
    const second = head.seal("refused", fields, 0).toString();
    expect(second).toBe(`2\t${fields}\t${GOLDEN_2}\n`);
  });

  test("skips the seq of lost rows and links over them", () => {
    const head = new ChainHead(1, chainBytes(GOLDEN_1)!, undefined);
    const line = head.seal("refused", "1\t2\trefused\t3\tdebounced", 4).toString();
    expect(line).toStartWith("6\t");
    expect(head.text).toBe(twinChain(GOLDEN_1, "refused", "6\t1\t2\trefused\t3\tdebounced"));
  });
});
