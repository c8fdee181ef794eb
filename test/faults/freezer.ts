// A control group that can be frozen, of the first or of the second version, whichever is here.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { until } from "../support/until.ts";

const PROBE_MS_MAX = 1_000;

interface Version {
  readonly root: string;
  readonly file: string;
  readonly freeze: string;
  readonly thaw: string;
  readonly isFrozen: (directory: string) => boolean;
}

const FIRST: Version = {
  root: "/sys/fs/cgroup/freezer",
  file: "freezer.state",
  freeze: "FROZEN",
  thaw: "THAWED",
  isFrozen: (directory) => textOf(directory, "freezer.state").trim() === "FROZEN",
};

function second(root: string): Version {
  return {
    root,
    file: "cgroup.freeze",
    freeze: "1",
    thaw: "0",
    isFrozen: (directory) => textOf(directory, "cgroup.events").includes("frozen 1"),
  };
}

const version: Version | undefined = [
  FIRST,
  second("/sys/fs/cgroup"),
  second("/sys/fs/cgroup/unified"),
].find(isUsable);

/** Why no group can be frozen here. */
export const NO_FREEZER: string | undefined =
  version === undefined ? "nobody may make a control group with a freezer here" : undefined;

export class Freezer implements AsyncDisposable {
  static #count = 0;
  readonly #directory = `${version!.root}/varta-faults-${process.pid}-${++Freezer.#count}`;
  readonly #pids: number[] = [];
  /** Groups below, as the services of a slice have. */
  readonly #groups = new Set<string>();
  /** Of a harness that is interrupted nothing may stay frozen. */
  readonly #thawAtExit = () => this.#set(version!.thaw);

  constructor() {
    mkdirSync(this.#directory);
    process.once("exit", this.#thawAtExit);
  }

  /** Into a group below, which is frozen with the one above. */
  add(pid: number, group: string): void {
    const directory = `${this.#directory}/${group}`;
    if (!this.#groups.has(group)) mkdirSync(directory);
    this.#groups.add(group);
    writeFileSync(`${directory}/cgroup.procs`, `${pid}`);
    this.#pids.push(pid);
  }

  async freeze(): Promise<void> {
    this.#set(version!.freeze);
    await until("the group to be frozen", () => version!.isFrozen(this.#directory));
  }

  async thaw(): Promise<void> {
    this.#set(version!.thaw);
    await until("the group to thaw", () => !version!.isFrozen(this.#directory));
  }

  /** Its processes go back to the root, so that the group can go whatever became of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.thaw();
    process.off("exit", this.#thawAtExit);
    for (const pid of this.#pids) moved(pid);
    for (const group of this.#groups)
      await until("the group to be empty", () => isRemoved(`${this.#directory}/${group}`));
    await until("the group to be gone", () => isRemoved(this.#directory));
  }

  #set(word: string): void {
    writeFileSync(`${this.#directory}/${version!.file}`, word);
  }
}

function moved(pid: number): void {
  try {
    writeFileSync(`${version!.root}/cgroup.procs`, `${pid}`);
  } catch {
    // It has ended.
  }
}

/** Whether a process can be frozen in a group below one, thawed, and taken out of it again. */
function isUsable(version: Version): boolean {
  const directory = `${version.root}/varta-faults-probe-${process.pid}`;
  const below = `${directory}/below`;
  const { pid } = spawn("sleep", ["10"], { stdio: "ignore" });
  try {
    mkdirSync(directory);
    mkdirSync(below);
    writeFileSync(`${below}/cgroup.procs`, `${pid}`);
    writeFileSync(`${directory}/${version.file}`, version.freeze);
    const endMs = performance.now() + PROBE_MS_MAX;
    while (!version.isFrozen(directory)) if (performance.now() > endMs) return false;
    writeFileSync(`${directory}/${version.file}`, version.thaw);
    writeFileSync(`${version.root}/cgroup.procs`, `${pid}`);
    return isRemoved(below) && isRemoved(directory);
  } catch {
    return false;
  } finally {
    process.kill(pid!, "SIGKILL");
    cleanUp(version, directory);
  }
}

function cleanUp({ file, thaw }: Version, directory: string): void {
  if (!existsSync(directory)) return;
  if (existsSync(`${directory}/${file}`)) writeFileSync(`${directory}/${file}`, thaw);
  const endMs = performance.now() + PROBE_MS_MAX;
  while (existsSync(directory) && performance.now() < endMs) {
    isRemoved(`${directory}/below`);
    isRemoved(directory);
  }
}

/** A control group goes once it is empty. */
export function isRemoved(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

function textOf(directory: string, name: string): string {
  return readFileSync(`${directory}/${name}`, "latin1");
}
