// Sends a signal to one process, never to a bare pid, which may have a new owner at any moment: a
// descriptor holds on to the process that has the pid, and its start time then says who that is.
import { EMFILE, ENFILE, ESRCH } from "../../ffi/constants.ts";
import { pidfdOpen, pidfdSendSignal } from "../../ffi/pidfd.ts";
import { closeFd } from "../../ffi/pipe.ts";
import type { ProcessReader } from "./process_reader.ts";
import type { SpareDescriptors } from "./spare_descriptors.ts";

/** The pid belongs to another process than the one that was meant. Below every -errno. */
export const SIGNAL_OTHER_PROCESS = -10_001;
/** A process has the pid, and its start time cannot be read. */
export const SIGNAL_UNREADABLE = -10_002;

interface ProcessSignal {
  readonly pid: number;
  readonly startTime: number;
  readonly signal: number;
}

/** What is needed to know which process has a pid, also when there is no descriptor left. */
export interface SignalMeans {
  readonly processes: Pick<ProcessReader, "startTime">;
  readonly spares: SpareDescriptors;
}

/** 0 if the process that started at `startTime` got the signal, else -errno or a SIGNAL_* code. */
export function signalProcess(
  { processes, spares }: SignalMeans,
  { pid, startTime, signal }: ProcessSignal,
): number {
  return spares.use(
    () => trySignal(processes, { pid, startTime, signal }),
    (result) => result === -EMFILE || result === -ENFILE,
  );
}

function trySignal(
  processes: SignalMeans["processes"],
  { pid, startTime, signal }: ProcessSignal,
): number {
  const pidfd = pidfdOpen(pid);
  if (pidfd < 0) return pidfd;
  try {
    const found = processes.startTime(pid);
    // It has ended meanwhile, or it is hidden.
    if (Number.isNaN(found))
      return pidfdSendSignal(pidfd, 0) === -ESRCH ? -ESRCH : SIGNAL_UNREADABLE;
    return found === startTime ? pidfdSendSignal(pidfd, signal) : SIGNAL_OTHER_PROCESS;
  } finally {
    closeFd(pidfd);
  }
}
