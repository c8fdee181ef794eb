// Starts recovery commands and signals their process groups (spec 10 section 1). The real runner
// never waits for a child and never throws for one that cannot be started; exits arrive through a
// callback on the runtime's event loop. Tests and the simulator supply their own runner.
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { withInherited } from "../../../ffi/inherited.ts";
import { kill } from "../../../ffi/process.ts";
import { assert } from "../../base/assert.ts";
import { type Failure, failureOf, lastingFailure } from "../../processes/failure.ts";
import { type CaptureSetting, type ChildOutput, PipeOutput } from "./child_output.ts";

/**
 * Reports one exit: NaN for the number that does not apply; both NaN if the status could not be
 * obtained.
 */
export type ExitCallback = (exitCode: number, signal: number) => void;

export interface ChildRunner {
  /**
   * Starts `argv` in its own session, with stdin from /dev/null, the daemon's stdout and stderr or
   * pipes, and no other descriptor. argv[0] without a slash is looked up in PATH of `env`. `exited`
   * is called once if it was started, and may be called before this function returns; it must only
   * take note.
   */
  spawn(
    argv: string[],
    env: Record<string, string>,
    exited: ExitCallback,
    setting: ChildSetting,
  ): SpawnResult;
  /** Signals the whole group of a child that this runner started; 0 or -errno. */
  signalGroup(childPid: number, signal: number): number;
}

/** What a child gets beside its arguments and environment. */
export interface ChildSetting {
  /** Undefined = the daemon's. */
  readonly cwd: string | undefined;
  /** Undefined = the one that the daemon was started with. */
  readonly umask: number | undefined;
  /** Undefined = its output is the daemon's. */
  readonly capture: CaptureSetting | undefined;
}

/** The daemon's directory, mask and output. */
export const PLAIN_SETTING: ChildSetting = {
  cwd: undefined,
  umask: undefined,
  capture: undefined,
};

export type SpawnResult = SpawnedChild | NoChild;

export interface SpawnedChild {
  /** Also its process group and session. */
  readonly childPid: number;
  /** Its output, if it is captured. */
  readonly output?: ChildOutput | undefined;
  readonly failure?: undefined;
}

/** Nothing was started. */
interface NoChild {
  readonly failure: Failure;
}

/** The child's own, and the one by which the runtime waits for it. */
const SPAWN_DESCRIPTORS = 2;

export class ProcessRunner implements ChildRunner {
  /** Children whose exit was not reported yet: the runtime waits for them. */
  readonly #living = new Set<number>();

  /** True for a child that the runtime waits for. */
  isLiving(childPid: number): boolean {
    return this.#living.has(childPid);
  }

  /** A child that was started elsewhere is left to the runtime, too. */
  mind({ pid, exited }: Pick<Bun.Subprocess, "pid" | "exited">): void {
    this.#living.add(pid);
    void exited.finally(() => this.#living.delete(pid));
  }

  spawn(
    argv: string[],
    env: Record<string, string>,
    exited: ExitCallback,
    setting: ChildSetting,
  ): SpawnResult {
    if (setting.capture === undefined) return this.#start(argv, env, exited, setting);
    const output = PipeOutput.open(setting.capture);
    if (typeof output === "number") return { failure: failureOf(-output) };
    const result = this.#start(argv, env, exited, setting, output);
    output.childHasThem();
    if (result.failure === undefined) return { ...result, output };
    output.close();
    return result;
  }

  #start(
    argv: string[],
    env: Record<string, string>,
    exited: ExitCallback,
    setting: ChildSetting,
    output?: PipeOutput,
  ): SpawnResult {
    const shortage = descriptorShortage(SPAWN_DESCRIPTORS);
    if (shortage !== 0) return { failure: failureOf(shortage) };
    const spawn = () =>
      Bun.spawn(argv, {
        env,
        ...(setting.cwd === undefined ? {} : { cwd: setting.cwd }),
        stdin: "ignore",
        stdout: output?.stdoutFd ?? "inherit",
        stderr: output?.stderrFd ?? "inherit",
        // setsid() in the child: a timeout can then signal the command and all it started, and no
        // terminal is shared.
        detached: true,
        onExit: (child, exitCode, signalCode) => {
          this.#living.delete(child.pid);
          exited(exitCode ?? NaN, signalNumber(signalCode));
        },
      });
    try {
      const childPid = withInherited(setting.umask, spawn).pid;
      this.#living.add(childPid);
      return { childPid };
    } catch (error) {
      return { failure: spawnFailure(error) };
    }
  }

  signalGroup(childPid: number, signal: number): number {
    // 0 would be the daemon's own group, and -1 every process there is.
    assert(childPid > 1, "a child's group is named by its pid");
    return kill(-childPid, signal);
  }
}

/** The runtime names the common signals and numbers the others, whatever its types say. */
function signalNumber(code: number | string | null): number {
  if (code === null) return NaN;
  if (typeof code === "number") return code;
  return (constants.signals as Readonly<Record<string, number>>)[code] ?? NaN;
}

function spawnFailure(error: unknown): Failure {
  const errno = errnoOf(error);
  if (errno !== 0) return failureOf(errno);
  return lastingFailure(error instanceof Error ? error.message : String(error));
}

/**
 * The error number with which opening fails what the runtime opens for a child, `count`
 * descriptors; 0 if nothing does. A runtime that gets no descriptor of a child that it has started
 * waits for the child's end, with the loop standing still, and then says that it was never started:
 * a second try would run the command twice.
 */
export function descriptorShortage(count: number): number {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync("/dev/null", "r"));
    return 0;
  } catch (error) {
    return errnoOf(error);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** 0 if the error names none that is known. */
function errnoOf(error: unknown): number {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string") return 0;
  return (constants.errno as Readonly<Record<string, number>>)[code] ?? 0;
}
