import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chainKey } from "../../src/audit/chain.ts";
import {
  HEAD_RECORD_BYTES_MAX,
  headRecordText,
  parseHeadRecord,
} from "../../src/audit/head_record.ts";
import { twinHeadText } from "../reference/audit_head.ts";

const KEY_HEX = "1f".repeat(32);
const KEY = chainKey(Buffer.from(KEY_HEX, "hex"));
const OTHER = chainKey(Buffer.from("2e".repeat(32), "hex"));
const HEAD = { file: "/var/lib/varta/audit.log", seq: 1204, chain: "ab".repeat(32) };

function parse(text: string, keys = [KEY]) {
  return parseHeadRecord(Buffer.from(text), keys);
}

describe("headRecordText()", () => {
  test("is what the slow twin writes, with and without a key, whatever the path", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(), (path, seq) => {
        const head = { file: `/${path}`, seq: seq + 1, chain: HEAD.chain };
        expect(headRecordText(head, undefined)).toBe(twinHeadText({ ...head, keyHex: undefined }));
        const keyed = headRecordText(head, KEY);
        expect(keyed).toBe(twinHeadText({ ...head, keyHex: KEY_HEX }));
        expect(parse(keyed)).toEqual({
          ok: true,
          isChecked: true,
          record: { ...head, keyId: KEY.id },
        });
      }),
    );
  });

  test("fits into the bound with the longest path there is", () => {
    const file = `/${"\u0001".repeat(4_094)}`;
    expect(headRecordText({ ...HEAD, file }, KEY).length).toBeLessThan(HEAD_RECORD_BYTES_MAX);
  });
});

describe("parseHeadRecord()", () => {
  test("cannot check a record under a key that is not at hand, and says so", () => {
    for (const keys of [[], [OTHER]])
      expect(parse(headRecordText(HEAD, KEY), keys)).toMatchObject({ ok: true, isChecked: false });
  });

  test("finds every change of one byte", () => {
    for (const key of [undefined, KEY]) {
      const bytes = Buffer.from(headRecordText(HEAD, key));
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        const parsed = parseHeadRecord(changed, [KEY]);
        // Another key id may be that of a key which is not at hand.
        if (parsed.ok) expect([parsed.isChecked, parsed.record.seq]).toEqual([false, HEAD.seq]);
      }
    }
  });

  test.each([
    ["", "content of another kind"],
    ["varta-watch audit head v2\n", "another version of it"],
    [headRecordText(HEAD, KEY).slice(0, -1), "damaged lines"],
    [`${headRecordText(HEAD, KEY)}\n`, "damaged lines"],
    [headRecordText({ ...HEAD, seq: 2 ** 52 + 2 }, KEY), "damaged lines"],
    [headRecordText({ ...HEAD, seq: 0 }, KEY), "damaged lines"],
    [headRecordText(HEAD, KEY).replace("seq 1204", "seq 1203"), "a check that does not fit"],
    ["x".repeat(HEAD_RECORD_BYTES_MAX + 1), "too many bytes"],
  ])("refuses %p", (text, found) => {
    expect(parse(text)).toEqual({ ok: false, found });
  });
});
