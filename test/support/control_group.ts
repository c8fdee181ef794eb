// Control groups of the unified hierarchy that a test makes, where it may: processes in them look
// to the daemon as those of a service or of a container do.
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { dirname } from "node:path";
import { until } from "./until.ts";

const ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/** Where the unified hierarchy is mounted and may be written to; undefined = nowhere. */
const root = ROOTS.find(
  (path) => existsSync(`${path}/cgroup.procs`) && existsSync(`${path}/cgroup.subtree_control`),
);

/** In the name of a test that needs control groups. */
export const NEEDS_CONTROL_GROUPS: string = whyNot();

export class ControlGroup implements AsyncDisposable {
  readonly #paths: string[] = [];

  /** `path` is below the root: "/a.slice/worker@3.service". */
  constructor(path: string) {
    for (let one = `${root}${path}`; one !== root; one = dirname(one)) this.#paths.push(one);
    mkdirSync(this.directory, { recursive: true });
  }

  get directory(): string {
    return this.#paths[0]!;
  }

  /** First words of a command line that is started in it. */
  get through(): readonly string[] {
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.directory];
  }

  /** The processes in it have ended by then, or are about to. */
  async [Symbol.asyncDispose](): Promise<void> {
    await until(`${this.directory} to be empty`, () => removed(this.directory));
    // Those above may have other groups in them, which remove them in their turn.
    for (const path of this.#paths.slice(1)) removed(path);
  }
}

function removed(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function whyNot(): string {
  if (root === undefined) return " (skipped: there is no unified hierarchy of control groups)";
  const path = `${root}/varta-test-${process.pid}.slice`;
  try {
    mkdirSync(path);
    rmdirSync(path);
    return "";
  } catch {
    return " (skipped: nobody may make control groups here)";
  }
}
