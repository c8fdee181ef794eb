// The parts of the daemon as a simulation makes them, one function each, so that a test can put a
// faulty part in and see that the simulation notices. Without faults these are exactly the classes
// that the daemon runs.
import { Mutes } from "../../src/agents/mutes.ts";
import type { TextBuffer } from "../../src/base/text_buffer.ts";
import { EventLines, type EventLinesOptions } from "../../src/export/event_lines.ts";
import type { ProcessReader } from "../../src/processes/process_reader.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { Metrics, type MetricsOptions } from "../../src/metrics/metrics.ts";
import { ObserverClock, type RawClock } from "../../src/observer/clock.ts";
import { Guard, type GuardSettings } from "../../src/observer/guard.ts";
import type { SelfBeat } from "../../src/observer/self_beat.ts";
import { Identification } from "../../src/observer/identification.ts";
import { Observer } from "../../src/observer/observer.ts";
import type { ObserverOptions } from "../../src/observer/observer_options.ts";
import { Recovery } from "../../src/recovery/recovery.ts";
import type { RecoveryOptions } from "../../src/recovery/recovery_options.ts";

export interface Seams {
  clock(raw: RawClock): ObserverClock;
  observer(options: ObserverOptions): Observer;
  guard(settings: GuardSettings, selfBeat: SelfBeat): Guard;
  identification(options: ConstructorParameters<typeof Identification>[0]): Identification;
  recovery(options: RecoveryOptions): Recovery;
  metrics(options: MetricsOptions): Metrics;
  listener(listener: Listener): Listener;
  mutes(options: ConstructorParameters<typeof Mutes>[0]): Mutes;
  processes(reader: ProcessReader): ProcessReader;
  exportLines(options: EventLinesOptions, text: TextBuffer): EventLines;
}

export const REAL_PARTS: Seams = {
  clock: (raw) => new ObserverClock(raw),
  observer: (options) => new Observer(options),
  guard: (settings, selfBeat) => new Guard(settings, selfBeat),
  identification: (options) => new Identification(options),
  recovery: (options) => new Recovery(options),
  metrics: (options) => new Metrics(options),
  listener: (listener) => listener,
  mutes: (options) => new Mutes(options),
  processes: (reader) => reader,
  exportLines: (options, text) => new EventLines(options, text),
};
