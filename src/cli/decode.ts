// `varta-watch decode HEX`: the fields of one frame, or the reason why an observer refuses it
// (spec 01).
import { FRAME_BYTES } from "../base/limits.ts";
import { decode } from "../wire/decode.ts";
import { type Frame, NONCE_TERMINAL } from "../wire/frame.ts";
import type { Invocation } from "./invocation.ts";
import { print, printError, printHint } from "./output.ts";

const HEX_DIGITS = FRAME_BYTES * 2;

export async function run(invocation: Invocation): Promise<number> {
  const hex = invocation.operands.join("").replace(/\s+/g, "");
  if (!/^[0-9a-fA-F]*$/.test(hex) || hex.length !== HEX_DIGITS) {
    const found = /^[0-9a-fA-F]*$/.test(hex) ? `${hex.length} hex digits` : "other characters";
    printError(
      `found ${found}; want the ${FRAME_BYTES} bytes of a frame as ${HEX_DIGITS} hex digits`,
    );
    printHint("spaces between the digits are fine");
    return 64;
  }
  const decoded = decode(Buffer.from(hex, "hex"));
  if (!decoded.ok) {
    print(`refused    ${decoded.error.name}\n`);
    printError(decoded.error.message);
    return 1;
  }
  print(frameText(decoded.frame));
  return 0;
}

function frameText({ status, pid, timestamp, nonce, payload }: Frame): string {
  const terminal =
    nonce === NONCE_TERMINAL ? " (terminal: the last beat of a panicking process)" : "";
  return [
    `status     ${status}`,
    `pid        ${pid}`,
    `timestamp  ${timestamp} ns`,
    `nonce      ${nonce}${terminal}`,
    `payload    ${payload} (0x${payload.toString(16).padStart(8, "0")})`,
    "",
  ].join("\n");
}
