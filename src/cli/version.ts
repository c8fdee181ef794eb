// `varta-watch version`: one line with all that a bug report needs. The commit is put in by the build; a run from
// source says so.
import packageJson from "../../package.json" with { type: "json" };
import type { Invocation } from "./invocation.ts";
import { print } from "./output.ts";

/** Replaced by the build (`--define VARTA_COMMIT='"..."'`); not defined when run from source. */
declare const VARTA_COMMIT: string | undefined;

export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
  /** "bun 1.4.4" */
  readonly runtime: string;
  /** "linux-x64" */
  readonly platform: string;
}

export function buildInfo(): BuildInfo {
  return {
    version: packageJson.version,
    commit: typeof VARTA_COMMIT === "string" ? VARTA_COMMIT : "source",
    runtime: `bun ${Bun.version}`,
    platform: `${process.platform}-${process.arch}`,
  };
}

export async function run(_invocation: Invocation): Promise<number> {
  const { version, commit, runtime, platform } = buildInfo();
  print(`varta-watch ${version} (${commit}, ${runtime}, ${platform})\n`);
  return 0;
}
