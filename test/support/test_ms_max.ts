import { AT_LENGTH } from "./at_length.ts";

/**
 * For setDefaultTimeout() of every test that waits for processes or computes for long: above each
 * wait of until(), so that the wait says what did not happen, and far above what a busy machine
 * needs.
 */
export const TEST_MS_MAX = AT_LENGTH ? 400_000 : 90_000;
