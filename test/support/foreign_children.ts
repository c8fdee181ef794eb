// Processes that are children of another process than the test: what the daemon watches. A shell
// starts them, says their pids, and reaps them at once or when it is told to.
import { afterEach } from "bun:test";
import { readFileSync } from "node:fs";
import { until } from "./until.ts";

export interface ForeignChild {
  readonly pid: number;
  /** Lets it go on: it waits for this before it does what it was started for. */
  go(): void;
  /** Its parent, if it did not do so by itself, reaps it once it has ended. */
  reap(): void;
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
 * reaps it at once, or when it is told to. No zombie is left to the init of the machine, which may
 * be one that reaps nothing.
 */
export async function foreignChild(then: string, reaps = true): Promise<ForeignChild> {
  const script = `(read line; ${then}) <&3 2>/dev/null & echo $!; wait; sleep 60`;
  const parent = Bun.spawn(["/bin/bash", "-c", `exec 3<&0; ${script}`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  parents.push(parent);
  const { value } = await parent.stdout.getReader().read();
  const pid = Number(new TextDecoder().decode(value).trim());
  // A shell reaps whenever it runs.
  if (!reaps) await stopped(parent);
  return {
    pid,
    go: () => {
      parent.stdin.write("\n");
      void parent.stdin.flush();
    },
    reap: () => parent.kill("SIGCONT"),
  };
}

async function stopped(parent: Bun.Subprocess): Promise<void> {
  parent.kill("SIGSTOP");
  const stat = `/proc/${parent.pid}/stat`;
  await until("its parent to stop", () => readFileSync(stat, "latin1").includes(") T "));
}
