// What this build is: the one source of version, commit, runtime and platform for
// `varta-watch version`, the metrics and the landing page. The build puts version and commit in
// (scripts/binary/compile.ts); a run from source says so.
import packageJson from "../../package.json" with { type: "json" };

declare const VARTA_VERSION: string | undefined;
declare const VARTA_COMMIT: string | undefined;
declare const VARTA_TEST_HOOKS: boolean | undefined;

export const VERSION: string =
  typeof VARTA_VERSION === "string" ? VARTA_VERSION : packageJson.version;
export const REVISION: string = typeof VARTA_COMMIT === "string" ? VARTA_COMMIT : "source";
export const RUNTIME = `bun ${Bun.version}`;
export const TARGET = `${process.platform}-${process.arch}`;

/**
 * True only in a binary built for tests: options that harm the daemon on purpose exist there and
 * nowhere else.
 */
export const TEST_HOOKS: boolean = typeof VARTA_TEST_HOOKS === "boolean" && VARTA_TEST_HOOKS;
