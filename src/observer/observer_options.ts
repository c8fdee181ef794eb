// What an observer is made with.
import type { PlaceReader, ProcessReader } from "../processes/process_reader.ts";
import type { TrackerOptions } from "../tracker/tracker.ts";
import type { AdmissionOptions } from "./admission.ts";
import type { ObserverClock } from "./clock.ts";
import type { Guard } from "./guard.ts";
import type { SelfBeats } from "./self_beats.ts";
import type { VerdictOf } from "./stall_queue.ts";

export interface ObserverOptions
  extends Pick<TrackerOptions, "evictionPolicy" | "evictionScanWindow" | "room"> {
  /** Silence after which an agent is stalled; at least 10 ms. */
  readonly thresholdNs: number;
  readonly clock: ObserverClock;
  readonly processes: ProcessReader;
  /** Undefined = no message of a notify listener speaks for another process. */
  readonly places?: PlaceReader | undefined;
  /** The observer's own pid-namespace inode; NaN = unknown. */
  readonly observerInode?: number;
  /** Reads the kernel's largest pid; undefined = the gate is open. */
  readonly readPidMax?: (() => number) | undefined;
  /** Clamped to 1,048,576. */
  readonly trackerCapacity?: number;
  readonly admission?: AdmissionOptions;
  readonly allowCrossNamespace?: boolean;
  /** Most slots taken at one judge point; default: no limit. */
  readonly judgeLimit?: number;
  /**
   * Time beyond a planned wait for which the observer may not read its sockets; what is longer
   * moves all deadlines by as much. Default: no limit, silence is silence.
   */
  readonly pauseGapNs?: number | undefined;
  /** Undefined = it is not looked at what the process of a stalled member is doing. */
  readonly verdictOf?: VerdictOf | undefined;
  /** Beats of the daemon to itself; undefined = it sends none. */
  readonly selfBeats?: SelfBeats | undefined;
  readonly guard?: Guard | undefined;
}

export function trackerOptions(options: ObserverOptions): TrackerOptions {
  return {
    thresholdNs: options.thresholdNs,
    processes: options.processes,
    ...defined("capacity", options.trackerCapacity),
    ...defined("evictionPolicy", options.evictionPolicy),
    ...defined("evictionScanWindow", options.evictionScanWindow),
    ...defined("room", options.room),
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
