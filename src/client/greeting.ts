// What a client says of itself beside its beats (spec 01 section 9): hello, with the name and the
// interval that it was given, and bye.
import { u64FromPair, U32_MAX } from "../base/u64.ts";
import { isAnnouncedName } from "../wire/announced_name.ts";
import { encodeControl } from "../wire/control_datagram.ts";
import type { BeatStream } from "./beat_stream.ts";

export interface Greeting {
  /** "" = none is announced. */
  readonly name: string;
  /** 0 = nothing is asked for. */
  readonly intervalMs: number;
}

/** Undefined if there is nothing to say; null if what was given cannot be said. */
export function greetingOf(name: unknown, intervalMs: unknown): Greeting | undefined | null {
  if (name === undefined && intervalMs === undefined) return undefined;
  const given = { name: name ?? "", intervalMs: intervalMs ?? 0 };
  return isName(given.name) && isInterval(given.intervalMs) ? (given as Greeting) : null;
}

export function helloBytes({ name, intervalMs }: Greeting, stream: BeatStream): Uint8Array {
  const nonce = u64FromPair(stream.nonceHi, stream.nonceLo);
  return encodeControl({ kind: "hello", pid: stream.pid, nonce, intervalMs, name });
}

export function byeBytes(stream: BeatStream): Uint8Array {
  const nonce = u64FromPair(stream.nonceHi, stream.nonceLo);
  return encodeControl({ kind: "bye", pid: stream.pid, nonce });
}

function isName(name: unknown): boolean {
  if (name === "") return true;
  if (typeof name !== "string") return false;
  const bytes = new TextEncoder().encode(name);
  return isAnnouncedName(bytes, 0, bytes.length);
}

function isInterval(intervalMs: unknown): boolean {
  return (
    typeof intervalMs === "number" &&
    Number.isInteger(intervalMs) &&
    intervalMs >= 0 &&
    intervalMs <= U32_MAX
  );
}
