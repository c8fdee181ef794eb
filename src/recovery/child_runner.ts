// Starts recovery commands and signals their process groups (spec 10 section 1). The real runner never waits for a
// child and never throws for one that cannot be started; exits arrive through a callback on the runtime's event loop.
// Tests and the simulator supply their own runner.
import { constants } from "node:os";
import { errnoText } from "../../ffi/errno.ts";
import { withInherited } from "../../ffi/inherited.ts";
import { kill } from "../../ffi/process.ts";
import { assert } from "../base/assert.ts";
import { type ChildOutput, PipeOutput } from "./child_output.ts";

/** Reports one exit: NaN for the number that does not apply; both NaN if the status could not be obtained. */
export type ExitCallback = (exitCode: number, signal: number) => void;

export interface ChildRunner {
  /**
   * Starts `argv` in its own session, with stdin from /dev/null, the daemon's stdout and stderr or pipes, and no other
   * descriptor. argv[0] without a slash is looked up in PATH of `env`. `exited` is called once if it was started, and may
   * be called before this function returns; it must only take note.
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
  /** Bytes kept of each output stream; 0 = they are not captured. */
  readonly keptBytesMax: number;
}

/** The daemon's directory and mask, and no capture. */
export const PLAIN_SETTING: ChildSetting = { cwd: undefined, umask: undefined, keptBytesMax: 0 };

export interface SpawnResult {
  /** Pid of the child, which is also its process group and session; 0 if it could not be started. */
  readonly childPid: number;
  /** "ENOENT (no such file or directory)"; empty on success. */
  readonly error: string;
  /** Its output, if it is captured; undefined also if that could not be set up. */
  readonly output?: ChildOutput | undefined;
}

export class ProcessRunner implements ChildRunner {
  spawn(
    argv: string[],
    env: Record<string, string>,
    exited: ExitCallback,
    setting: ChildSetting,
  ): SpawnResult {
    const output = setting.keptBytesMax > 0 ? PipeOutput.open(setting.keptBytesMax) : -1;
    if (typeof output === "number") return start(argv, env, exited, setting);
    const result = start(argv, env, exited, setting, output);
    output.childHasThem();
    if (result.childPid === 0) output.close();
    return { ...result, output };
  }

  signalGroup(childPid: number, signal: number): number {
    // 0 would be our own group, and -1 every process there is.
    assert(childPid > 1, "a child's group is named by its pid");
    return kill(-childPid, signal);
  }
}

function start(
  argv: string[],
  env: Record<string, string>,
  exited: ExitCallback,
  setting: ChildSetting,
  output?: PipeOutput,
): SpawnResult {
  const spawn = () =>
    Bun.spawn(argv, {
      env,
      ...(setting.cwd === undefined ? {} : { cwd: setting.cwd }),
      stdin: "ignore",
      stdout: output?.stdoutFd ?? "inherit",
      stderr: output?.stderrFd ?? "inherit",
      // setsid() in the child: a timeout can then signal the command and all it started, and no terminal is shared.
      detached: true,
      onExit: (_child, exitCode, signalCode) => exited(exitCode ?? NaN, signalNumber(signalCode)),
    });
  try {
    return { childPid: withInherited(setting.umask, spawn).pid, error: "" };
  } catch (error) {
    return { childPid: 0, error: spawnErrorText(error) };
  }
}

/** The runtime names the common signals and numbers the others, whatever its types say. */
function signalNumber(code: number | string | null): number {
  if (code === null) return NaN;
  if (typeof code === "number") return code;
  return (constants.signals as Readonly<Record<string, number>>)[code] ?? NaN;
}

function spawnErrorText(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") {
    const errno = (constants.errno as Readonly<Record<string, number>>)[code];
    if (errno !== undefined) return errnoText(errno);
  }
  return error instanceof Error ? error.message : String(error);
}
