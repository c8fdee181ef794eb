// The text of `audit.head`: which row of which audit log was the last one on the disk. Five lines
// and a check over them, with the key of the log if it has one. Pure: what a file says is not
// believed before all of it was checked.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { chainBytes, type ChainKey, isKeyId } from "./chain.ts";
import { ABSENT } from "./record.ts";

export interface HeadRecord {
  /** Absolute path of the log. */
  readonly file: string;
  readonly seq: number;
  /** The chain column of that row. */
  readonly chain: string;
  /** Of the key that this record is under; undefined = none. */
  readonly keyId: string | undefined;
}

type ParsedHead =
  | {
      readonly ok: true;
      readonly record: HeadRecord;
      /** False if it is under a key that is not at hand. */
      readonly isChecked: boolean;
    }
  /** Completes "found FOUND". */
  | { readonly ok: false; readonly found: string };

const TITLE = "varta-watch audit head v1";
const TITLE_OF_ANY_VERSION = "varta-watch audit head v";
const DOMAIN = "VARTA-AUDIT-HEAD-v1";
/** A path of 4,095 bytes, each of them escaped, and the rest. */
export const HEAD_RECORD_BYTES_MAX = 32 * 1_024;
/** Half of the exact range stays free: a damaged number must not end the numbering. */
const SEQ_MAX = 2 ** 52;

/** `key` undefined = there is none. */
export function headRecordText(
  { file, seq, chain }: Omit<HeadRecord, "keyId">,
  key: ChainKey | undefined,
): string {
  const path = `file ${JSON.stringify(file)}`;
  const lines = [TITLE, path, `seq ${seq}`, `chain ${chain}`, `key ${key?.id ?? ABSENT}`];
  const text = lines.map((line) => `${line}\n`).join("");
  return `${text}check ${checkOf(text, key)}\n`;
}

/** `keys` are those that the record may be under. */
export function parseHeadRecord(bytes: Uint8Array, keys: readonly ChainKey[]): ParsedHead {
  if (bytes.length > HEAD_RECORD_BYTES_MAX) return bad("too many bytes");
  const text = Buffer.from(bytes).toString("utf8");
  if (!text.startsWith(`${TITLE}\n`)) {
    const isOther = text.startsWith(TITLE_OF_ANY_VERSION);
    return bad(isOther ? "another version of it" : "content of another kind");
  }
  const lines =
    /^[^\n]*\nfile (".*")\nseq ([1-9][0-9]{0,15})\nchain ([0-9a-f]{64})\nkey ([0-9a-f]{16}|-)\ncheck ([0-9a-f]{64})\n$/.exec(
      text,
    );
  if (lines === null) return bad("damaged lines");
  const [, path, seqText, chain, keyText, check] = lines;
  const file = stringOf(path!);
  const seq = Number(seqText);
  if (file === undefined || seq > SEQ_MAX) return bad("damaged lines");
  const keyId = isKeyId(keyText!) ? keyText : undefined;
  const record = { file, seq, chain: chain!, keyId };
  const key = keys.find(({ id }) => id === keyId);
  if (keyId !== undefined && key === undefined) return { ok: true, record, isChecked: false };
  const wanted = chainBytes(checkOf(text.slice(0, text.lastIndexOf("check ")), key))!;
  if (!timingSafeEqual(wanted, chainBytes(check!)!)) return bad("a check that does not fit");
  return { ok: true, record, isChecked: true };
}

function bad(found: string): ParsedHead {
  return { ok: false, found };
}

function checkOf(text: string, key: ChainKey | undefined): string {
  const hash = key === undefined ? createHash("sha256") : createHmac("sha256", key.bytes);
  return hash.update(`${DOMAIN}\0`).update(text).digest("hex");
}

function stringOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
