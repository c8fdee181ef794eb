// What the package of the JavaScript client keeps to itself, for the runner of the vectors: made
// into a file of its own, as the package is.
import { hkdfSync } from "node:crypto";
import { nodePlatform } from "../../../src/client/node_platform.ts";
import { encodeControl } from "../../../src/wire/control_datagram.ts";
import { crc32c } from "../../../src/wire/crc32c.ts";
import { encode } from "../../../src/wire/encode.ts";
import { STATUS_TEXTS } from "../../../src/wire/frame.ts";
import { deriveAgentKey } from "../../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../../src/wire/secure_frame.ts";

const hex = (text = ""): Uint8Array => Buffer.from(text, "hex");
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Seals by the cipher of the runtime where it has one, as the package does. */
const { aead } = nodePlatform;

export const crc = (input?: string): string => crc32c(hex(input)).toString(16).padStart(8, "0");

export const hkdf = (key: string, info: string, size: string): string =>
  text(new Uint8Array(hkdfSync("sha256", hex(key), new Uint8Array(0), hex(info), Number(size))));

export function encoded(...fields: readonly string[]): string {
  const [status, pid, timestamp, nonce, payload] = fields as [
    string,
    string,
    string,
    string,
    string,
  ];
  return text(
    encode({
      status: STATUS_TEXTS[Number(status)]!,
      pid: Number(pid),
      timestamp: BigInt(timestamp),
      nonce: BigInt(nonce),
      payload: Number(payload),
    }),
  );
}

export function hello(pid: string, nonce: string, intervalMs: string, name = ""): string {
  const of = { pid: Number(pid), nonce: BigInt(nonce), intervalMs: Number(intervalMs), name };
  return text(encodeControl({ kind: "hello", ...of }));
}

export function bye(pid: string, nonce: string): string {
  return text(encodeControl({ kind: "bye", pid: Number(pid), nonce: BigInt(nonce) }));
}

export function sealed(...words: readonly string[]): string {
  const [kind, key, pid, prefix, counter, frame] = words;
  const of = { ivRandom: hex(prefix), ivCounter: Number(counter), frame: hex(frame), aead };
  if (kind === "shared") return text(sealShared({ ...of, key: hex(key) }));
  const agent = Number(pid);
  return text(sealMaster(agent, { ...of, key: deriveAgentKey(hex(key), agent) }));
}
