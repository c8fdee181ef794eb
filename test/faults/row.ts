// A row of the fault table: one fault, made under a load, whose outcome is counted.
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import type { Bounds, Outcome } from "./table.ts";

export interface FaultRow {
  readonly name: string;
  readonly load: string;
  /** Also in a quick run. */
  readonly isQuick: boolean;
  /** The fault is to the whole machine: no row stands beside it. */
  readonly isAlone?: boolean;
  /** In words, why the fault cannot be made here; undefined = it can. */
  readonly whyNot?: string | undefined;
  readonly bounds?: (isQuick: boolean) => Bounds;
  readonly run: (isQuick: boolean) => Promise<Outcome>;
}

/** The fault cannot be made here, which shows only when it is tried. */
export class CannotMake extends Error {}

/** Why beats of a process that died in the fault have no row. */
export const UNKNOWN_DEAD =
  "beats of a process that is gone when they are read are refused, as namespace_conflict, and counted";

export const LONG_QUEUE = 512;
export const SHORT_QUEUE = 10;

/** Starts the words behind it with a queue of this length, in a network namespace of its own. */
export function withQueue(length: number): readonly string[] {
  const set = 'echo "$0" > /proc/sys/net/unix/max_dgram_qlen && exec "$@"';
  return ["unshare", "-n", "sh", "-c", set, `${length}`];
}

/** Why there can be no queue of a length of its own. */
export const NO_NAMESPACE = unless(
  [...withQueue(LONG_QUEUE), "true"],
  "a queue of its own needs root, network namespaces, and a /proc/sys that can be written",
);

/** Why there can be no daemon on another boot clock. */
export const NO_TIME_NAMESPACE = unless(
  ["unshare", "-T", "--boottime", "1", "true"],
  "a time namespace needs root, and a kernel that has them",
);

/** Why there can be no small disk. */
export const NO_TMPFS = unless(
  ["unshare", "-m", "mount", "-t", "tmpfs", "varta-faults", tmpdir()],
  "a small disk needs root that may mount",
);

function unless(argv: readonly string[], why: string): string | undefined {
  return spawnSync(argv[0]!, argv.slice(1)).status === 0 ? undefined : why;
}
