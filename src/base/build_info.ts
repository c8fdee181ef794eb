// What this build is. Version and commit are put in when the binary is compiled; a run from source says so.
import { version } from "../../package.json" with { type: "json" };

declare const VARTA_REVISION: string | undefined;

export const VERSION: string = version;
export const REVISION: string = typeof VARTA_REVISION === "string" ? VARTA_REVISION : "source";
export const RUNTIME = `bun ${Bun.version}`;
export const TARGET = `${process.platform}-${process.arch}`;
