// The varta-watch under test: this checkout run by the runtime, or the executable that VARTA_TEST_PROGRAM names. With it
// the same tests judge a compiled binary.
import { resolve } from "node:path";

const MAIN = resolve(import.meta.dir, "../../src/main.ts");
const binary = process.env["VARTA_TEST_PROGRAM"];

export const IS_BINARY: boolean = binary !== undefined;

/** First words of every command line. */
export const PROGRAM: readonly string[] =
  binary === undefined ? [process.execPath, MAIN] : [resolve(binary)];
