// Other clocks for one process (clock_shim.c): the machine is put to sleep, or its wall clock is
// set, for the daemon under test and for nobody else. The clocks of the machine are never touched.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { AS_LIBRARY, compiled } from "./compiled.ts";

const NS_PER_S = 1_000_000_000n;
const OFFSETS = { realtimeS: 0, monotonicS: 1, boottimeS: 2 } as const;

const library = compiled(join(import.meta.dir, "clock_shim.c"), AS_LIBRARY);

/** By how much each clock is ahead, in whole seconds. */
export type Shift = Partial<Record<keyof typeof OFFSETS, number>>;

export class ShiftedClocks implements Disposable {
  readonly env: Readonly<Record<string, string>>;
  readonly #fd: number;

  /** `path`: where the file with the offsets is made. */
  constructor(path: string) {
    writeFileSync(path, new Uint8Array(Object.keys(OFFSETS).length * 8));
    this.#fd = openSync(path, "r+");
    this.env = { LD_PRELOAD: library!, CLOCK_SHIM: path };
  }

  /** From now on; a clock that is not named keeps its offset. */
  shift(by: Shift): void {
    for (const [name, seconds] of Object.entries(by)) {
      const offset = new BigInt64Array([BigInt(seconds) * NS_PER_S]);
      writeSync(this.#fd, offset, 0, 8, OFFSETS[name as keyof typeof OFFSETS] * 8);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Why no process can have other clocks here. */
export const NO_SHIFT: string | undefined = whyNoShift();

function whyNoShift(): string | undefined {
  if (library === undefined) return "the clocks of a process need a C compiler";
  const env = { ...process.env, LD_PRELOAD: library };
  const { status, stderr } = spawnSync("date", [], { env, encoding: "utf8" });
  return status === 0 && stderr === "" ? undefined : "no library can be put before the C library";
}
