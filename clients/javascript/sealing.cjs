// Sealed frames (docs/spec/02-secure.md sections 2 and 8). No prefix and counter are ever used
// twice: the counter moves with every seal, whatever becomes of the datagram.
"use strict";
const crypto = require("node:crypto");

const U32_MAX = 0xffffffff;
const HAS_CIPHER = crypto.getCiphers().includes("chacha20-poly1305");

function hkdf(keyMaterial, info, size) {
  return Buffer.from(crypto.hkdfSync("sha256", keyMaterial, Buffer.alloc(0), info, size));
}

function seal({ key, nonce, frame, aad }) {
  const cipher = crypto.createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  if (aad !== undefined) cipher.setAAD(aad, { plaintextLength: frame.length });
  return Buffer.concat([cipher.update(frame), cipher.final(), cipher.getAuthTag()]);
}

function labelled(label, ...numbers) {
  return Buffer.concat([Buffer.from(`${label}\0`, "latin1"), ...numbers]);
}

function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

class Session {
  #key;
  #agent;
  #salt = crypto.randomBytes(16);
  #prefixIndex = 0;
  #prefix;
  #counter = 0;

  /** With a master key frames are sealed by the key of process `pid` alone. */
  constructor(key, isMaster, pid) {
    this.#agent = isMaster ? u32(pid) : undefined;
    this.#key = isMaster ? hkdf(key, labelled("varta-agent-v1", u32(pid)), 32) : Buffer.from(key);
    this.#prefix = this.#prefixAt(0);
  }

  seal(frame) {
    return this.#sealUnder(this.#prefix, this.#takeCounter(), frame);
  }

  /** A crash beat is the first frame under a prefix of its own. */
  sealCrash(frame, pid, timestamp) {
    const counter = this.#takeCounter();
    const info = labelled("varta-panic-iv-v1", u32(pid), u64(timestamp), u32(counter));
    return this.#sealUnder(hkdf(this.#salt, info, 8), 0, frame);
  }

  wipe() {
    this.#key.fill(0);
    this.#salt.fill(0);
  }

  #sealUnder(prefix, counter, frame) {
    const nonce = Buffer.concat([prefix, u32(counter)]);
    const aad = this.#agent;
    const sealed = seal({ key: this.#key, nonce, frame, aad });
    return Buffer.concat(aad === undefined ? [nonce, sealed] : [aad, nonce, sealed]);
  }

  #takeCounter() {
    if (this.#counter > U32_MAX) {
      if (this.#prefixIndex === U32_MAX) crypto.randomFillSync(this.#salt);
      this.#prefixIndex = this.#prefixIndex === U32_MAX ? 0 : this.#prefixIndex + 1;
      this.#prefix = this.#prefixAt(this.#prefixIndex);
      this.#counter = 0;
    }
    return this.#counter++;
  }

  #prefixAt(index) {
    return hkdf(this.#salt, labelled("varta-iv-prefix-v1", u32(index)), 8);
  }
}

/** 32 bytes, given as such or as 64 hex digits; undefined if it is neither. */
function keyBytes(key) {
  if (key instanceof Uint8Array) return key.length === 32 ? key : undefined;
  const digits = typeof key === "string" ? key.trim() : "";
  return /^[0-9a-fA-F]{64}$/.test(digits) ? Buffer.from(digits, "hex") : undefined;
}

module.exports = { HAS_CIPHER, Session, hkdf, keyBytes, seal };
