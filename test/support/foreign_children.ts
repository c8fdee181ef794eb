// Processes that are children of another process than the test: what the daemon watches. A shell
// starts them, says their pids, and reaps them or not.
import { afterEach } from "bun:test";
import { readFileSync } from "node:fs";
import { until } from "./until.ts";

export interface ForeignChild {
  readonly pid: number;
  /** Lets it go on: it waits for this before it does what it was started for. */
  go(): void;
  /** Ends its parent, so that a zombie is taken over and reaped. */
  endParent(): Promise<void>;
}

const parents: Bun.Subprocess[] = [];

afterEach(async () => {
  for (const parent of parents.splice(0)) {
    parent.kill("SIGKILL");
    await parent.exited;
  }
});

/**
 * A child of a shell: it waits for `go`, and then runs the shell commands of `then`. Its parent
 * reaps it at once, or never.
 */
export async function foreignChild(then: string, reaps = true): Promise<ForeignChild> {
  // A shell whose job is to sleep reaps nothing: what it started before `exec` is its child still.
  const wait = reaps ? "wait; sleep 60" : "exec sleep 60";
  const script = `(read line; ${then}) <&3 2>/dev/null & echo $!; ${wait}`;
  const parent = Bun.spawn(["/bin/bash", "-c", `exec 3<&0; ${script}`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  parents.push(parent);
  const { value } = await parent.stdout.getReader().read();
  const pid = Number(new TextDecoder().decode(value).trim());
  const comm = `/proc/${parent.pid}/comm`;
  if (!reaps) await until("its parent to sleep", () => readFileSync(comm, "utf8") === "sleep\n");
  return {
    pid,
    go: () => {
      parent.stdin.write("\n");
      void parent.stdin.flush();
    },
    endParent: async () => {
      parent.kill("SIGKILL");
      await parent.exited;
    },
  };
}
