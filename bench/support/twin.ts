// The C twin as a library in this process, so that both sides are timed with the same clock, one
// after the other.
import { dlopen } from "bun:ffi";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import type { Arena } from "./arenas.ts";

export interface Twin {
  crc(arena: Arena): void;
  /** The next three throw unless all 64 beats are good. */
  decode(arena: Arena): void;
  track(arena: Arena, nowNs: number): void;
  take(arena: Arena, nowNs: number, sse: boolean): void;
  forgetNonces(): void;
}

export function openTwin(path: string): Twin {
  const { symbols } = dlopen(path, {
    twin_open: { args: [], returns: "void" },
    twin_forget_nonces: { args: [], returns: "void" },
    twin_crc: { args: ["ptr", "i32"], returns: "u32" },
    twin_decode: { args: ["ptr", "i32"], returns: "i32" },
    twin_track: { args: ["ptr", "i32", "f64"], returns: "i32" },
    twin_take: { args: ["ptr", "ptr", "ptr", "i32", "f64", "i32"], returns: "i32" },
  });
  type Address = Parameters<typeof symbols.twin_crc>[0];
  symbols.twin_open();
  return {
    crc: ({ framesAt }) => void symbols.twin_crc(framesAt as Address, BATCH_SIZE),
    decode: ({ framesAt }) => all(symbols.twin_decode(framesAt as Address, BATCH_SIZE)),
    track: ({ framesAt }, nowNs) => all(symbols.twin_track(framesAt as Address, BATCH_SIZE, nowNs)),
    take: ({ headersAt, framesAt, controlAt }, nowNs, sse) =>
      all(
        symbols.twin_take(
          headersAt as Address,
          framesAt as Address,
          controlAt as Address,
          BATCH_SIZE,
          nowNs,
          sse ? 1 : 0,
        ),
      ),
    forgetNonces: () => symbols.twin_forget_nonces(),
  };
}

function all(good: number): void {
  if (good !== BATCH_SIZE) throw new Error(`The twin took ${good} of ${BATCH_SIZE} beats`);
}
