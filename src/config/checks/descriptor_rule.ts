// Whether the daemon will have a descriptor for all that it may watch at once (spec 07 section 3):
// stream connections, each with a pidfd of who connected, a pidfd for each member, and the rest.
import { descriptorLimit } from "../../../ffi/limits.ts";
import { DESCRIPTORS_RESERVED_MAX, STREAM_CONNECTIONS_MAX } from "../../base/limits.ts";
import type { Config } from "../config.ts";
import type { UnitSettings } from "./unit_file.ts";

/** Descriptors that the stream listeners of `config` may take; 0 = it has none. */
export function streamDescriptors({ listeners }: Pick<Config, "listeners">): number {
  return listeners.some(({ kind }) => kind === "unix-stream") ? 2 * STREAM_CONNECTIONS_MAX : 0;
}

/** Of a daemon that `unit` starts; undefined = whoever asks starts it. */
export function descriptorWarnings(config: Config, unit: UnitSettings | undefined): string[] {
  const streams = streamDescriptors(config);
  if (streams === 0) return [];
  const { pidfdsMax } = config.tracker;
  const needed = streams + pidfdsMax + DESCRIPTORS_RESERVED_MAX;
  const limit = limitOf(unit);
  if (limit >= needed) return [];
  const parts = `${streams} for ${STREAM_CONNECTIONS_MAX} stream connections, ${pidfdsMax} for tracker.pidfds_max, ${DESCRIPTORS_RESERVED_MAX} for the rest`;
  const where = unit === undefined ? "ulimit -n" : `LimitNOFILE= of ${unit.name}`;
  return [
    `the daemon may have ${limit} descriptors (${where}) and need ${needed}: ${parts}; connections beyond its limit are closed`,
  ];
}

// The runtime raises the soft limit to the hard one, which systemd sets to 524,288 by itself.
function limitOf(unit: UnitSettings | undefined): number {
  if (unit === undefined) return Number(descriptorLimit()?.hard ?? Number.POSITIVE_INFINITY);
  const [soft = "", hard = soft] = (unit.keys.get("LimitNOFILE")?.at(-1) ?? "").split(":");
  const limit = Number(hard);
  return hard === "" || Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit;
}
