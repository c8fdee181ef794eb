// HKDF-SHA256 with an empty salt, as the protocol uses it (spec 02 section 2). Every label ends in
// a version and a NUL: another version is another key, so nothing of it is ever accepted by
// accident. Cold side: each call allocates.
import { hkdfSync } from "node:crypto";
import { assert } from "../base/assert.ts";
import { IV_RANDOM_BYTES, KEY_BYTES } from "./secure_frame.ts";

export const SESSION_SALT_BYTES = 16;

/** The key of one agent, from the master key and the pid in its frames. */
export function deriveAgentKey(masterKey: Uint8Array, agentId: number): Uint8Array {
  return derive(masterKey, KEY_BYTES, agentKeyInfo(agentId));
}

/**
 * The IV prefix number `prefixIndex` of a session. The session salt is the key material here, not
 * the HKDF salt.
 */
export function deriveIvPrefix(sessionSalt: Uint8Array, prefixIndex: number): Uint8Array {
  return derive(sessionSalt, IV_RANDOM_BYTES, ivPrefixInfo(prefixIndex));
}

/** The IV prefix of the one frame that a panicking agent sends, apart from those of its session. */
export function derivePanicIvPrefix(
  sessionSalt: Uint8Array,
  pid: number,
  timestamp: bigint,
  ivCounter: number,
): Uint8Array {
  const info = labelled("varta-panic-iv-v1", 16);
  info.view.setUint32(info.at, pid, true);
  info.view.setBigUint64(info.at + 4, timestamp, true);
  info.view.setUint32(info.at + 12, ivCounter, true);
  return derive(sessionSalt, IV_RANDOM_BYTES, info.bytes);
}

/**
 * Reserved: the derivation is part of the conformance vectors, and no frame on the wire uses it
 * yet.
 */
export function deriveEpochKey(agentKey: Uint8Array, epoch: bigint): Uint8Array {
  return derive(agentKey, KEY_BYTES, epochKeyInfo(epoch));
}

export function agentKeyInfo(agentId: number): Uint8Array {
  return withU32("varta-agent-v1", agentId);
}

export function ivPrefixInfo(prefixIndex: number): Uint8Array {
  return withU32("varta-iv-prefix-v1", prefixIndex);
}

export function epochKeyInfo(epoch: bigint): Uint8Array {
  const info = labelled("varta-epoch-v1", 8);
  info.view.setBigUint64(info.at, epoch, true);
  return info.bytes;
}

function withU32(label: string, value: number): Uint8Array {
  const info = labelled(label, 4);
  info.view.setUint32(info.at, value, true);
  return info.bytes;
}

/** `label`, a NUL, and room for `valueBytes` at `at`. */
function labelled(label: string, valueBytes: number) {
  const at = label.length + 1;
  const bytes = new Uint8Array(new ArrayBuffer(at + valueBytes));
  new TextEncoder().encodeInto(label, bytes);
  return { bytes, at, view: new DataView(bytes.buffer) };
}

const NO_SALT = new Uint8Array(0);

function derive(keyMaterial: Uint8Array, sizeBytes: number, info: Uint8Array): Uint8Array {
  assert(
    keyMaterial.length === KEY_BYTES || keyMaterial.length === SESSION_SALT_BYTES,
    "a key has 32 bytes and a session salt 16",
  );
  return new Uint8Array(hkdfSync("sha256", keyMaterial, NO_SALT, info, sizeBytes));
}
