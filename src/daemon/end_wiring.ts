// Wires what follows the ends of members to the system: process descriptors within the limit of
// open files, /proc, and the parts that hear of an end.
import { endedAs } from "../events/member_end.ts";
import { existsSync } from "node:fs";
import { descriptorLimit } from "../../ffi/limits.ts";
import { kernelTellsWaitStatus } from "../../ffi/pidfd.ts";
import { END_POLICY_DEFAULT, type EndPolicy } from "../agents/ends.ts";
import type { ShowCounters } from "../base/counters.ts";
import type { Config } from "../config/config.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Observer } from "../observer/observer.ts";
import { isGone } from "../processes/is_gone.ts";
import { EndWatch } from "../processes/end_watch.ts";
import { nowGeneration } from "../processes/generation.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import type { SpareDescriptors } from "../processes/spare_descriptors.ts";
import { VerdictReader } from "../processes/stall_verdict.ts";
import type { Recovery } from "../recovery/recovery.ts";
import { SYSTEMD_SOCKETS, UnitQuestions } from "../systemd/unit_questions.ts";
import type { EndReports } from "./end_options.ts";
import type { Log } from "./log.ts";
import { MemberEnds } from "./member_ends.ts";
import { monotonicNs } from "./monotonic.ts";
import { UnitEnds } from "./unit_ends.ts";

interface EndParts {
  readonly observer: Observer;
  readonly processes: ProcReader;
  readonly spares: SpareDescriptors;
  readonly log: Log;
  readonly showCounters: ShowCounters;
  readonly reports: EndReports;
  readonly metrics: Pick<Metrics, "onEnded">;
  readonly recovery: Recovery;
  /** Silence after which a stalled member of another machine is forgotten. */
  readonly forgetAfterNs: () => number;
  /** What the rule of the member of a slot says; undefined = no rule takes it. */
  readonly ruleOf: (slot: number) => EndPolicy | undefined;
}

export interface ExitStatusSources {
  readonly kernel: boolean;
  readonly systemd: boolean;
}

interface EndOptions {
  readonly config: Config;
  readonly exported: EndReports;
}

/** Undefined if the daemon has no configuration file: silence is all that is judged. */
export function makeMemberEnds(
  { config, exported }: EndOptions,
  parts: EndParts,
): MemberEnds | undefined {
  if (config.optionsAlone) return undefined;
  const { observer, processes, spares, log, showCounters, reports, metrics, recovery } = parts;
  const { ruleOf, forgetAfterNs } = parts;
  const watch = new EndWatch({
    processes,
    pidfdsMax: config.tracker.pidfdsMax,
    openFilesMax: Number(descriptorLimit()?.soft ?? Number.POSITIVE_INFINITY),
    kernelTells: kernelTellsWaitStatus(),
  });
  const { unitEnds, questions } = makeUnitEnds(watch, log);
  showCounters(questions.counters);
  return new MemberEnds({
    observer,
    processes,
    watch,
    verdicts: new VerdictReader(processes, spares),
    isGone,
    policyOf: (slot) => ruleOf(slot) ?? END_POLICY_DEFAULT,
    unitOf: (pid) => {
      const unit = processes.unitOf(pid);
      return typeof unit === "string" ? "" : unit.name;
    },
    unitEnds,
    isRecovering: (key) => recovery.isRecovering(key),
    succeeds: (newcomer, nowNs) => recovery.onNewcomer(newcomer, nowNs),
    forgetAfterNs,
    reports: {
      exited(exit) {
        metrics.onEnded(exit.agent, exit.how);
        exported.exited(exit);
        reports.exited(exit);
      },
      gone(gone) {
        metrics.onEnded(gone.agent, endedAs(gone.reason));
        exported.gone(gone);
        reports.gone(gone);
      },
    },
    nowGeneration,
    monotonicNs,
  });
}

/** What tells how a process ended on this host, for the log; undefined = ends are not followed. */
export function exitStatusSources({ optionsAlone }: Config): ExitStatusSources | undefined {
  if (optionsAlone) return undefined;
  return {
    kernel: kernelTellsWaitStatus(),
    systemd: SYSTEMD_SOCKETS.some((path) => existsSync(path)),
  };
}

function makeUnitEnds(watch: EndWatch, log: Log) {
  // While it lasts, a failure is said once.
  let isFailing = false;
  const questions: UnitQuestions = new UnitQuestions({
    sockets: SYSTEMD_SOCKETS,
    attention: watch,
    answered: (unit, state) => unitEnds.answered(unit, state),
    failing: (reason) => {
      if (reason !== undefined && !isFailing)
        log.warn("systemd does not answer", {
          reason,
          effect: "ends of members of units may be unknown",
        });
      isFailing = reason !== undefined;
    },
  });
  const unitEnds = new UnitEnds({ questions, nowGeneration, monotonicNs });
  return { unitEnds, questions };
}
