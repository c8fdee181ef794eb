// A place for the checks of doctor: this host, with a configuration as a file has it, and a daemon
// that says what a test wants.
import { writeFileSync } from "node:fs";
import { loadConfig, systemHost } from "../../src/config/load.ts";
import { findUser } from "../../src/config/user_account.ts";
import type { Check, Finding } from "../../src/doctor/check.ts";
import type { Place, SeenAgent, SeenDaemon } from "../../src/doctor/place.ts";
import type { DoctorView } from "../../src/view/doctor_view.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";

const HOST = systemHost();

/** DIR in `text` is `directory`. */
export async function placeOf(
  directory: TemporaryDirectory,
  text: string,
  other: Partial<Place> = {},
): Promise<Place> {
  const file = directory.at("varta.toml");
  writeFileSync(file, text.replaceAll("DIR", directory.path));
  const loaded = await loadConfig({ configFile: file, given: [], host: HOST });
  if (!loaded.ok) throw new Error(loaded.text);
  return {
    config: loaded.config,
    file,
    problems: [],
    user: findUser(String(HOST.uid), HOST)!,
    unit: undefined,
    isRoot: HOST.uid === 0,
    daemon: undefined,
    silence: undefined,
    unitDirectories: undefined,
    passwdFile: HOST.passwdFile,
    groupFile: HOST.groupFile,
    prometheus: undefined,
    proc: "/proc",
    sys: "/sys",
    ...other,
  };
}

export function daemonSeen(
  agents: readonly Partial<SeenAgent>[] = [],
  other: Partial<SeenDaemon> = {},
): SeenDaemon {
  return {
    pid: process.pid,
    uid: HOST.uid,
    observer: { state: "ok", up_s: 60, paused_last: null },
    agents: agents.map((agent) => ({
      agent: "worker",
      beatsPerS: 0,
      memberCount: agent.members?.length ?? 0,
      plan: undefined,
      members: [],
      ...agent,
    })),
    ...other,
  };
}

/** What the daemon says of itself. */
export function ownFacts(other: Partial<DoctorView> = {}): DoctorView {
  const rules = { count: 0, idle: [], idle_count: 0, without: [], without_count: 0 };
  return { queues: [], paused_in_minute_ms: 0, rules, state: null, ...other };
}

export function memberAt(pid: number, unit = "") {
  return { pid, unit, source: null };
}

export async function findingOf(check: Check, place: Place): Promise<Finding | undefined> {
  const result = await check.run(place);
  if (result.result === "found") return result.finding;
  if (result.result === "passed") return undefined;
  throw new Error(`${check.name}: ${JSON.stringify(result)}`);
}
