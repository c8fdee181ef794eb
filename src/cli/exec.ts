// "varta-watch exec -- CMD ARGS" (spec 16 section 16): CMD takes the place of this process, with
// the same pid, and finds the doors of the daemon in its environment. No process stays around it,
// and it runs also where no daemon answers: what watches must not keep a service from starting.
import { writeFileSync } from "node:fs";
import { ENOENT, IS_LINUX } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import {
  becomeProgram,
  environmentAtStart,
  inheritedDescriptors,
  lastWordsAtStart,
} from "../../ffi/execve.ts";
import { currentPid } from "../../ffi/process.ts";
import { close, send } from "../../ffi/socket.ts";
import { NS_PER_MS } from "../base/time.ts";
import { openNotifySocket } from "../systemd/notify_socket.ts";
import { pathOf } from "./asking.ts";
import { ask } from "./control_client.ts";
import {
  changedEnvironment,
  type Doors,
  environmentChanges,
  managerWaitsForBeats,
  overruled,
} from "./exec_environment.ts";
import { sayBye, sayHello } from "./exec_greeting.ts";
import { type Invocation, ownText } from "./invocation.ts";
import { printError, printHint, printWarning } from "./output.ts";
import { programIdentity, programPath } from "./program_path.ts";
import { thisScreen } from "./this_screen.ts";

const EXIT_USAGE = 64;
/** EX_UNAVAILABLE: not on this system. */
const EXIT_NOT_HERE = 69;
/** EX_CONFIG. */
const EXIT_CONFIG = 78;
/** As a shell ends where it could not start a command. */
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;

/** A service does not wait for longer until it starts. */
const PATIENCE_MS = 1_000;

/** Returns only where CMD could not be started. */
export async function run(invocation: Invocation): Promise<number> {
  const { operands } = invocation;
  const [word] = operands;
  if (word === undefined)
    return failed(EXIT_USAGE, "found no command; want one after --", "varta-watch help exec");
  if (!IS_LINUX) return failed(EXIT_NOT_HERE, "cannot start a command in place: not Linux", "");
  // Before anything else opens one.
  const descriptors = inheritedDescriptors();
  const pid = currentPid();
  if (managerWaitsForBeats(process.env, pid))
    return failed(
      EXIT_CONFIG,
      `the service manager waits for beats of pid ${pid} itself (WATCHDOG_USEC), and would end it`,
      "WatchdogSec=0 in its unit",
    );
  const program = programPath(word, process.env["PATH"]);
  if (!program.ok) return program.isFound ? notExecutable(word, "") : notFound(word);
  const doors = overruled(doorsOfDaemon(invocation, program.path), process.env);
  if (doors.notify === undefined) adviseWithoutNotify(doors);
  // COMMAND can be executed from here on as far as is known: what is said for it is said here.
  tellManager(process.env["NOTIFY_SOCKET"]);
  const name = ownText(invocation, "name");
  if (name !== undefined) introduce(doors, pid, name, program.path);
  const errno = becomeProgram({
    path: Buffer.from(program.path),
    argv: lastWordsAtStart(operands.length),
    env: changedEnvironment(environmentAtStart(), environmentChanges(doors, pid)),
    descriptors,
  });
  if (name !== undefined) sayBye(doors, pid);
  return -errno === ENOENT ? notFound(word) : notExecutable(word, errnoText(-errno));
}

/** {} = it did not answer in time. */
function doorsOfDaemon(invocation: Invocation, program: string): Doors {
  const path = pathOf(invocation);
  const request = { do: "doors", name: ownText(invocation, "name"), ...programIdentity(program) };
  const answer = ask(path, request, { screen: thisScreen(invocation), patienceMs: PATIENCE_MS });
  if (!answer.ok) {
    printWarning(`the daemon says nothing at ${path}, ignoring: ${answer.error}`);
    return {};
  }
  const { socket, stream, notify, threshold_ms } = JSON.parse(answer.lines[0] ?? "{}") as Record<
    string,
    unknown
  >;
  return {
    socket: textOf(socket),
    stream: textOf(stream),
    notify: textOf(notify),
    thresholdNs: typeof threshold_ms === "number" ? threshold_ms * NS_PER_MS : undefined,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

// The variable of the service manager is removed all the same: beats that went there would be lost.
function adviseWithoutNotify({ socket, stream }: Doors): void {
  if (socket === undefined && stream === undefined) return;
  printHint('no [[listener]] has kind = "notify": what speaks sd_notify does not beat');
}

/** Ready means started: nothing else of the command is known to this process. */
function tellManager(name: string | undefined): void {
  if (name === undefined) return;
  const socket = openNotifySocket(name);
  if (typeof socket === "string") {
    printWarning(`the service manager was not told READY=1, ignoring: ${socket}`);
    return;
  }
  const sent = send(socket.fd, Buffer.from("READY=1"));
  close(socket.fd);
  if (sent < 0)
    printWarning(`the service manager was not told READY=1, ignoring: ${errnoText(-sent)}`);
}

/** So the command has its name before its first beat, and its end is known without any. */
function introduce(doors: Doors, pid: number, name: string, program: string): void {
  try {
    // Who looks at this process before it is the command finds the rule of that by its comm.
    writeFileSync("/proc/self/comm", Buffer.from(programIdentity(program).comm, "latin1"));
  } catch {
    // It is looked at again when it is the command.
  }
  const fault = sayHello(doors, pid, name);
  if (fault !== undefined) printWarning(`the daemon was not told the name, ignoring: ${fault}`);
}

function notFound(word: string): number {
  return failed(EXIT_NOT_FOUND, `cannot run ${word}: there is no such program`, "");
}

function notExecutable(word: string, why: string): number {
  const found = why === "" ? "it may not be executed" : why;
  return failed(EXIT_NOT_EXECUTABLE, `cannot run ${word}: ${found}`, "");
}

function failed(exit: number, error: string, hint: string): number {
  printError(error);
  if (hint !== "") printHint(hint);
  return exit;
}
