// The text of audit.head made and read the slow, obvious way, without any code of the daemon.
import { createHash, createHmac } from "node:crypto";
import { twinKeyId } from "./audit_writer_twin.ts";

export interface TwinHead {
  readonly file: string;
  readonly seq: number;
  readonly chain: string;
  /** 64 hex digits; undefined = under no key. */
  readonly keyHex: string | undefined;
}

export function twinHeadText({ file, seq, chain, keyHex }: TwinHead): string {
  const key = keyHex === undefined ? "-" : twinKeyId(keyHex);
  const lines = ["varta-watch audit head v1", `file ${JSON.stringify(file)}`, `seq ${seq}`];
  const text = `${[...lines, `chain ${chain}`, `key ${key}`].join("\n")}\n`;
  return `${text}check ${twinCheck(text, keyHex)}\n`;
}

/** The seq of a text that is good; undefined = it is not. */
export function twinHeadSeq(text: string, keyHex: string | undefined): number | undefined {
  const lines = text.split("\n");
  const [title, file, seq, chain, key, check, end] = lines;
  if (lines.length !== 7 || end !== "" || title !== "varta-watch audit head v1") return undefined;
  const wantedKey = keyHex === undefined ? "-" : twinKeyId(keyHex);
  if (key !== `key ${wantedKey}` || !/^chain [0-9a-f]{64}$/.test(chain!)) return undefined;
  if (!file!.startsWith("file ") || !/^seq [1-9]\d{0,15}$/.test(seq!)) return undefined;
  try {
    if (typeof JSON.parse(file!.slice(5)) !== "string") return undefined;
  } catch {
    return undefined;
  }
  const body = `${lines.slice(0, 5).join("\n")}\n`;
  if (check !== `check ${twinCheck(body, keyHex)}`) return undefined;
  const number = Number(seq!.slice(4));
  return number <= 2 ** 52 ? number : undefined;
}

function twinCheck(text: string, keyHex: string | undefined): string {
  const hash =
    keyHex === undefined ? createHash("sha256") : createHmac("sha256", Buffer.from(keyHex, "hex"));
  return hash.update("VARTA-AUDIT-HEAD-v1\0").update(text).digest("hex");
}
