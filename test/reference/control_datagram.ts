// The control datagram by the words of spec 01 section 9: bytes, bigint and strings.
import { referenceCrc32c } from "./frame.ts";

export type ReferenceControl =
  | { readonly error: string }
  | {
      readonly error: undefined;
      readonly kind: number;
      readonly pid: number;
      readonly nonce: bigint;
      readonly intervalMs: number;
      readonly name: string;
    };

export function referenceControlDatagram(bytes: Uint8Array, pidMin = 2): ReferenceControl {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 64);
  if (String.fromCharCode(bytes[0]!, bytes[1]!) !== "VC") return { error: "BadMagic" };
  if (bytes[2] !== 1) return { error: "BadVersion" };
  if (referenceCrc32c(bytes, 60) !== view.getUint32(60, true)) return { error: "BadCrc" };
  const kind = bytes[3]!;
  if (![1, 2].includes(kind)) return { error: "BadKind" };
  const pid = view.getUint32(4, true);
  if (pid < pidMin) return { error: "BadPid" };
  const nonce = view.getBigUint64(8, true);
  if (nonce === 2n ** 64n - 1n) return { error: "BadNonce" };
  const field = Buffer.from(bytes.subarray(20, 60)).toString("latin1");
  const name = field.replace(/\0*$/, "");
  const isName = /^[A-Za-z0-9_.@:-]*$/.test(name) && !/^([0-9]+|other)$/.test(name);
  if (kind === 1 && !isName) return { error: "BadName" };
  return { error: undefined, kind, pid, nonce, intervalMs: view.getUint32(16, true), name };
}

/** The bytes of any fields, good or not; `name` is latin1. */
export function referenceControlBytes(fields: {
  readonly kind: number;
  readonly pid: number;
  readonly nonce: bigint;
  readonly intervalMs: number;
  readonly name: string;
}): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x56, 0x43, 1, fields.kind]);
  view.setUint32(4, fields.pid, true);
  view.setBigUint64(8, fields.nonce, true);
  view.setUint32(16, fields.intervalMs, true);
  bytes.set(Buffer.from(fields.name, "latin1").subarray(0, 40), 20);
  view.setUint32(60, referenceCrc32c(bytes, 60), true);
  return bytes;
}
