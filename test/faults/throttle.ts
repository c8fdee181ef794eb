// A slow disk: what the processes of a control group write to the block device below a directory is
// held to a few kilobytes a second, by the first or the second version of control groups.
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { until } from "../support/until.ts";
import { isRemoved } from "./freezer.ts";

/** A sync of one page and its journal takes a good part of a second. */
const BYTES_PER_S = 8_192;

interface Version {
  readonly root: string;
  readonly file: string;
  readonly limit: (device: string) => string;
}

const VERSIONS: readonly Version[] = [
  {
    root: "/sys/fs/cgroup/blkio",
    file: "blkio.throttle.write_bps_device",
    limit: (device) => `${device} ${BYTES_PER_S}`,
  },
  { root: "/sys/fs/cgroup", file: "io.max", limit: (device) => `${device} wbps=${BYTES_PER_S}` },
];

const device = deviceOf(tmpdir());
const version = VERSIONS.find(isUsable);

/** Why no disk can be made slow here. */
export const NO_THROTTLE: string | undefined =
  version === undefined ? `no control group can slow down the disk of ${tmpdir()} here` : undefined;

export class Throttle implements AsyncDisposable {
  readonly #directory = `${version!.root}/varta-faults-${process.pid}`;
  readonly #pid: number;
  #isOver = false;

  /** Holds the writes of this process back from now on. */
  constructor(pid: number) {
    this.#pid = pid;
    mkdirSync(this.#directory);
    limit(version!, this.#directory);
    writeFileSync(`${this.#directory}/cgroup.procs`, `${pid}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    if (existsSync(`/proc/${this.#pid}`))
      writeFileSync(`${version!.root}/cgroup.procs`, `${this.#pid}`);
    await until("the group to be empty", () => isRemoved(this.#directory));
  }
}

function limit({ file, limit: textOf }: Version, directory: string): void {
  writeFileSync(`${directory}/${file}`, textOf(device));
}

function isUsable(one: Version): boolean {
  const directory = `${one.root}/varta-faults-probe-${process.pid}`;
  try {
    mkdirSync(directory);
  } catch {
    return false;
  }
  try {
    limit(one, directory);
    return true;
  } catch {
    // No such file, a disk without a block device, or a part of one.
    return false;
  } finally {
    isRemoved(directory);
  }
}

/** As the kernel numbers it: "254:0". */
function deviceOf(path: string): string {
  const { dev } = statSync(path);
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  return `${major}:${minor}`;
}
