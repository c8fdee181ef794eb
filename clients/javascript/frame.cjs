// The 32 bytes of a beat (docs/spec/01-wire.md sections 1 and 2).
"use strict";

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C of the first `count` bytes. */
function crc32c(bytes, count = bytes.length) {
  let crc = 0xffffffff;
  for (let at = 0; at < count; at++) crc = CRC_TABLE[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** `timestamp` and `nonce` are bigints. */
function encodeFrame({ status, pid, timestamp, nonce, payload }) {
  const frame = Buffer.alloc(32);
  frame.write("VA", 0, "latin1");
  frame[2] = 2;
  frame[3] = status;
  frame.writeUInt32LE(pid, 4);
  frame.writeBigUInt64LE(timestamp, 8);
  frame.writeBigUInt64LE(nonce, 16);
  frame.writeUInt32LE(payload, 24);
  frame.writeUInt32LE(crc32c(frame, 28), 28);
  return frame;
}

module.exports = { crc32c, encodeFrame };
