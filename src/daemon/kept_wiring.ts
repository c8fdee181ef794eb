// What the service manager handed over and keeps (spec 05 section 9), wired to the log.
import { KeptSockets } from "../sockets/kept_sockets.ts";
import { readQueueLength } from "../sockets/queue_length.ts";
import { FdStore } from "../systemd/fd_store.ts";
import { passedDescriptors } from "../systemd/passed_descriptors.ts";
import type { Log } from "./log.ts";

interface Kept {
  readonly kept: KeptSockets;
  /** Undefined = there is no service manager. */
  readonly fdStore: FdStore | undefined;
}

/** Takes in what was handed over to process `pid`. */
export function makeKept(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
  log: Pick<Log, "info" | "warn">,
): Kept {
  const fdStore = FdStore.open(env);
  const kept = new KeptSockets({
    store: fdStore,
    passed: passedDescriptors(env, pid),
    queueLength: readQueueLength(),
    reports: {
      madeAnew: (path, reason) => log.info("stored socket made anew", { path, reason }),
      disagrees: (path, differences) =>
        log.warn("socket unit differs", {
          path,
          found: differences.join("; "),
          effect: "the socket is used as it is",
        }),
      closed: (name, reason) => log.warn("descriptor closed", { name, reason }),
      leftAlone: (fds) =>
        log.warn("descriptors left alone", {
          first: fds[0],
          count: fds.length,
          reason: "LISTEN_FDS counts them, and they are no sockets that were handed over",
        }),
    },
  });
  return { kept, fdStore };
}
