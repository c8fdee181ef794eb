// A row of the fault table: one fault, made under a load, whose outcome is counted.
import { spawnSync } from "node:child_process";
import type { Bounds, Outcome } from "./table.ts";

export interface FaultRow {
  readonly name: string;
  readonly load: string;
  /** Also in a quick run. */
  readonly isQuick: boolean;
  /** In words, why the fault cannot be made here; undefined = it can. */
  readonly whyNot?: string | undefined;
  readonly bounds?: (isQuick: boolean) => Bounds;
  readonly run: (isQuick: boolean) => Promise<Outcome>;
}

/** Why there can be no network namespace with a queue length of its own. */
export const NO_NAMESPACE: string | undefined =
  spawnSync("unshare", ["-n", "true"]).status === 0
    ? undefined
    : "a network namespace with a queue of its own needs root and unshare";

/** Why beats of a process that died in the fault have no row. */
export const UNKNOWN_DEAD =
  "beats of a process that is gone when they are read are refused, as namespace_conflict, and counted";

export const LONG_QUEUE = 512;
export const SHORT_QUEUE = 10;

/** Why there can be no daemon on another boot clock. */
export const NO_TIME_NAMESPACE: string | undefined =
  spawnSync("unshare", ["-T", "--boottime", "1", "true"]).status === 0
    ? undefined
    : "a time namespace needs root, and a kernel that has them";

/** Why there can be no small disk. */
export const NO_TMPFS: string | undefined =
  process.getuid?.() === 0 && Bun.which("mount") !== null ? undefined : "a tmpfs needs root";
