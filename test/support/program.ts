// The varta-watch under test: the executable that VARTA_TEST_PROGRAM names, or this checkout,
// compiled as it is released. A compiled daemon starts in a third of the time that one from source
// takes, and it is what people run.
import { resolve } from "node:path";
import { compiledCheckout } from "./compiled_checkout.ts";

const given = process.env["VARTA_TEST_PROGRAM"];

/** An executable was given: it is judged as a thing of its own, too. */
export const IS_GIVEN: boolean = given !== undefined;

/** First words of every command line. */
export const PROGRAM: readonly string[] = [
  given === undefined ? await compiledCheckout() : resolve(given),
];

/** This checkout run by the runtime, as `npm start` does. */
export const SOURCE_PROGRAM: readonly string[] = [
  process.execPath,
  resolve(import.meta.dir, "../../src/main.ts"),
];
