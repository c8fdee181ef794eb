// Events as library users see them (spec 04 section 2): rows and stalls as objects, unknown numbers
// as undefined.
import { describe, expect, test } from "bun:test";
import { RULE_NONE } from "../../src/agents/rules.ts";
import * as rows from "../../src/events/event_batch.ts";
import { eventFromRow, eventFromStall } from "../../src/events/event.ts";
import type { Stall } from "../../src/events/stall.ts";
import { DECODE_BAD_CRC, DECODE_BAD_MAGIC } from "../../src/wire/decode_error.ts";

const OBSERVER = 42;

/** A batch whose row 3 has the given columns, so that a mixed-up row number shows. */
function batchWith(kind: number, columns: Partial<Record<keyof rows.EventBatch, number>>) {
  const batch = new rows.EventBatch();
  batch.kind[3] = kind;
  batch.observerNs[3] = 7_000;
  for (const [name, value] of Object.entries(columns))
    batch[name as keyof rows.EventBatch][3] = value;
  return batch;
}

function event(kind: number, columns: Partial<Record<keyof rows.EventBatch, number>>) {
  return eventFromRow(batchWith(kind, columns), 3, OBSERVER);
}

describe("eventFromRow()", () => {
  test("makes a beat with its nonce as one number", () => {
    const columns = {
      pid: 9,
      status: 2,
      payload: 4_000_000_000,
      origin: 1,
      namespaceInode: 77,
      generation: 5,
    };
    expect(
      event(rows.EVENT_BEAT, { ...columns, nonceHi: 0xffff_ffff, nonceLo: 0xffff_fffe }),
    ).toMatchObject({
      kind: "beat",
      observerNs: 7_000,
      pid: 9,
      source: undefined,
      status: "critical",
      payload: 4_000_000_000,
      nonce: 2n ** 64n - 2n,
      origin: 1,
      namespaceInode: 77,
      generation: 5,
    });
  });

  test("makes unknown parts of an identity undefined, and a hidden namespace 0", () => {
    const unknown = event(rows.EVENT_BEAT, {
      pid: 9,
      namespaceInode: Number.NaN,
      generation: Number.NaN,
    });
    expect(unknown).toMatchObject({ namespaceInode: undefined, generation: undefined });
    expect(event(rows.EVENT_BEAT, { pid: 9, namespaceInode: 0 })).toMatchObject({
      namespaceInode: 0,
    });
  });

  test("makes a decode error with its name and its sentence", () => {
    expect(event(rows.EVENT_DECODE, { detail: DECODE_BAD_MAGIC })).toEqual({
      kind: "decode",
      observerNs: 7_000,
      error: "BadMagic",
      message: 'varta-vlp: magic bytes are not "VA"',
    });
    expect(
      event(rows.EVENT_DECODE, { detail: DECODE_BAD_CRC, errHi: 0xdead_beef, errLo: 1 }),
    ).toMatchObject({
      message: "varta-vlp: CRC-32C mismatch: expected 0xdeadbeef, found 0x00000001",
    });
  });

  test.each([
    [rows.AUTH_REASON_PID, "pid"],
    [rows.AUTH_REASON_UID, "uid"],
  ])("makes an auth failure of detail %d: %s", (detail, text) => {
    expect(event(rows.EVENT_AUTH_FAILURE, { pid: 9, detail })).toEqual({
      kind: "auth-failure",
      observerNs: 7_000,
      claimedPid: 9,
      reason: text as "pid" | "uid",
    });
  });

  test("makes an origin conflict with both origins", () => {
    expect(event(rows.EVENT_ORIGIN_CONFLICT, { pid: 9, origin: 3, detail: 1 })).toEqual({
      kind: "origin-conflict",
      observerNs: 7_000,
      claimedPid: 9,
      observedOrigin: 3,
      slotOrigin: 1,
    });
  });

  test("makes a namespace conflict with the observed inode and the observer's", () => {
    expect(event(rows.EVENT_NAMESPACE_CONFLICT, { pid: 9, namespaceInode: 7 })).toEqual({
      kind: "namespace-conflict",
      observerNs: 7_000,
      claimedPid: 9,
      observedInode: 7,
      observerInode: OBSERVER,
    });
    const batch = batchWith(rows.EVENT_NAMESPACE_CONFLICT, { pid: 9, namespaceInode: Number.NaN });
    expect(eventFromRow(batch, 3, Number.NaN)).toMatchObject({
      observedInode: undefined,
      observerInode: undefined,
    });
  });

  test("makes a receive error with its errno, and truncated control data", () => {
    const io = { kind: "io", observerNs: 7_000, errno: 105 } as const;
    expect(event(rows.EVENT_IO, { detail: 105 })).toEqual(io);
    const truncated = { kind: "ctrl-truncated", observerNs: 7_000 } as const;
    expect(event(rows.EVENT_CTRL_TRUNCATED, {})).toEqual(truncated);
  });

  test("refuses a kind that is never in a batch", () => {
    expect(() => event(1, {})).toThrow("row 3 has kind 1");
  });
});

describe("eventFromStall()", () => {
  test("keeps what identifies the agent", () => {
    const stall: Stall = {
      pid: 9,
      lastNonceHi: 1,
      lastNonceLo: 2,
      lastNs: 1_000,
      observerNs: 7_000,
      thresholdNs: 5e9,
      origin: 0,
      namespaceInode: Number.NaN,
      generation: 5,
      innerPid: 0,
      uid: 1_000,
      proven: true,
      key: 9,
      agent: 3,
      rule: RULE_NONE,
      source: "",
      refused: [],
      status: 1,
      payload: 3,
      listener: 2,
    };
    expect(eventFromStall(stall)).toEqual({
      kind: "stall",
      observerNs: 7_000,
      pid: 9,
      source: undefined,
      lastNonce: 2n ** 32n + 2n,
      lastNs: 1_000,
      origin: 0,
      namespaceInode: undefined,
      generation: 5,
      proven: true,
    });
  });
});
