// Gathers what the checks of `doctor` look at: the configuration as `check` reads it, and the
// daemon as far as it answers at its control socket.
import { accessSync, constants, existsSync } from "node:fs";
import { AF_UNIX, SOCK_STREAM } from "../../ffi/constants.ts";
import { type PeerCredentials, peerCredentials } from "../../ffi/peer.ts";
import { close, connect, openSocket, unixAddress } from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { chooseFile, loadConfig, systemHost } from "../config/load.ts";
import { findUnit } from "../config/checks/unit_file.ts";
import { findUser } from "../config/user_account.ts";
import { controlDoor } from "../daemon/server_doors.ts";
import type { Place, SeenAgent, SeenDaemon } from "../doctor/place.ts";
import type { DoctorView } from "../view/doctor_view.ts";
import type { AgentStatusView, MembersView, StatusView } from "../view/status_view.ts";
import { ask, controlPath } from "./control_client.ts";
import { type Invocation, ownText } from "./invocation.ts";
import type { Screen } from "./screens/screen.ts";
import { selfCommand } from "./self_command.ts";

const EXIT_NO_SUCH_AGENT = 1;
const EXIT_UNAVAILABLE = 69;
const EXIT_NOPERM = 77;

const PROC = "/proc";
/** Each is a request, and each member some files of /proc. */
const AGENTS_MAX = 64;
const MEMBERS_MAX = 64;
const CHECK_MS_MAX = 10_000;
const CHECK_BYTES_MAX = 1_048_576;

interface Asked {
  readonly screen: Screen;
  readonly prometheus: string | undefined;
}

/** Undefined = nothing can be checked here. */
export async function doctorPlace(
  invocation: Invocation,
  { screen, prometheus }: Asked,
): Promise<Place | undefined> {
  if (!existsSync(`${PROC}/self/status`)) return undefined;
  const { configFile, given } = invocation;
  const host = systemHost();
  const file = chooseFile(configFile, given, host);
  const found = findUnit(file);
  // A file that is not that of the unit belongs to a daemon that somebody has started by hand.
  const unit = found?.configFile === file ? found : undefined;
  const byUnit = unit && findUser(unit.user, host, unit.group, unit.supplementaryGroups);
  const asker = findUser(String(host.uid), host)!;
  const loaded = await loadConfig({
    configFile,
    given,
    host: { ...host, uid: host.uid === 0 ? (byUnit?.uid ?? 0) : host.uid },
  });
  const path = ownText(invocation, "control") ?? pathOf(loaded) ?? controlPath(process.env);
  const asked = askDaemon(path, screen);
  const runs = asked.daemon && findUser(String(asked.daemon.uid), host);
  const user = runs ?? byUnit ?? asker;
  const isOurs = host.uid === 0 || (user.uid === host.uid && mayRead(file));
  return {
    config: loaded.ok ? loaded.config : undefined,
    file,
    // What somebody else may read and bind is not what the daemon may.
    problems: isOurs ? checkProblems(configFile) : undefined,
    user,
    unit,
    isRoot: host.uid === 0,
    ...asked,
    unitDirectories: undefined,
    passwdFile: host.passwdFile,
    groupFile: host.groupFile,
    prometheus,
    proc: PROC,
    sys: "/sys",
  };
}

/** A file that is not there is a problem; one that is hidden from us is none. */
function mayRead(file: string | undefined): boolean {
  try {
    if (file !== undefined) accessSync(file, constants.R_OK);
  } catch (error) {
    return (error as { code?: unknown }).code !== "EACCES";
  }
  return true;
}

function pathOf(loaded: Awaited<ReturnType<typeof loadConfig>>): string | undefined {
  return loaded.ok && loaded.file !== undefined ? controlDoor(loaded.config)?.path : undefined;
}

/** By a process of its own, which becomes the user of the daemon where that is another one. */
function checkProblems(configFile: string | undefined): string[] {
  const file = configFile === undefined ? [] : ["--config", configFile];
  const { stdout } = Bun.spawnSync(selfCommand(["check", "--json", ...file]), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: CHECK_MS_MAX,
    maxBuffer: CHECK_BYTES_MAX,
  });
  try {
    const { problems = [] } = JSON.parse(stdout.toString()) as { problems?: CheckProblem[] };
    return problems.map(({ source, line, column, where, text }) =>
      line === undefined || line === null
        ? `${where}: ${text}`
        : `${source}:${line}:${column}: ${where}: ${text}`,
    );
  } catch {
    return ["the configuration could not be checked"];
  }
}

interface CheckProblem {
  readonly source: string;
  readonly line?: number | null;
  readonly column?: number | null;
  readonly where: string;
  readonly text: string;
}

function askDaemon(path: string, screen: Screen): Pick<Place, "daemon" | "silence"> {
  const answer = ask(path, { do: "status" }, { screen });
  if (!answer.ok) {
    const { error, hint, exitCode } = answer;
    const isDown = exitCode === EXIT_UNAVAILABLE;
    const isRefusal = exitCode === EXIT_NOPERM;
    return { daemon: undefined, silence: { error, hint, isRefusal, isDown } };
  }
  const peer = peerAt(path);
  if (peer === undefined) {
    const error = "who answers at the control socket is not known";
    return { daemon: undefined, silence: { error, hint: "", isRefusal: false, isDown: false } };
  }
  const { observer, agents } = JSON.parse(answer.lines[0]!) as StatusView;
  // One that does not answer any more is not waited for again.
  let answers = true;
  const seen = agents.map((agent, index) => {
    const view = answers && index < AGENTS_MAX ? membersOf(path, agent.agent, screen) : undefined;
    answers &&= view !== "silent";
    return seenAgent(agent, view === "silent" ? undefined : view);
  });
  const daemon: SeenDaemon = {
    pid: peer.pid,
    uid: peer.uid,
    observer,
    agents: seen,
    own: ownFacts(path, screen),
  };
  return { daemon, silence: undefined };
}

/** A daemon of an older version does not know the request. */
function ownFacts(path: string, screen: Screen): DoctorView | undefined {
  const answer = ask(path, { do: "doctor" }, { screen });
  return answer.ok ? (JSON.parse(answer.lines[0]!) as DoctorView) : undefined;
}

/** Undefined = there is no such agent any more. */
function membersOf(
  path: string,
  agent: string,
  screen: Screen,
): MembersView | "silent" | undefined {
  const answer = ask(path, { do: "members", agent }, { screen });
  if (answer.ok) return JSON.parse(answer.lines[0]!) as MembersView;
  return answer.exitCode === EXIT_NO_SUCH_AGENT ? undefined : "silent";
}

function seenAgent(
  { agent, members, beats_per_s }: AgentStatusView,
  view: MembersView | undefined,
): SeenAgent {
  return {
    agent,
    beatsPerS: beats_per_s ?? 0,
    memberCount: members,
    plan: view?.plan,
    members: (view?.members ?? [])
      .slice(0, MEMBERS_MAX)
      .map(({ pid, source, unit }) => ({ pid, source, unit: unit ?? "" })),
  };
}

/** Who listens at the control socket, by the kernel. */
function peerAt(path: string): PeerCredentials | undefined {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) return undefined;
  const fd = openSocket(AF_UNIX, SOCK_STREAM);
  if (fd < 0) return undefined;
  const peer = connect(fd, unixAddress(path)) < 0 ? undefined : peerCredentials(fd);
  close(fd);
  return peer;
}
