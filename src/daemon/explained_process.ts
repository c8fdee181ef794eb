// The process that `check --explain PID` asks about, as the daemon would see it if it beat now, and
// the answer with the lines of the file.
import type { MemberFacts } from "../agents/naming.ts";
import type { LoadSuccess } from "../config/load_result.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { explainRule, type RuleExplanation } from "./explained_rule.ts";
import type { FilePlaces } from "./live_config.ts";

/** Undefined = it does not run, or is hidden from us. */
export function explainedProcess(
  pid: number,
  { listeners }: LoadSuccess["config"],
  processes = new ProcReader(),
): MemberFacts | undefined {
  const startTime = processes.startTime(pid);
  const uid = processes.realUid(pid);
  const identity = processes.identityOf(pid, startTime, uid, Number.NaN, 0);
  if (identity === undefined) return undefined;
  // A process of this machine beats at a socket; at the first that would take it, if nothing says
  // otherwise.
  const isContained = processes.innermostPid(pid) !== pid;
  const local =
    listeners.find((one) => "path" in one && (one.containers || !isContained)) ??
    listeners.find((one) => "path" in one) ??
    listeners[0]!;
  return { pid, uid, user: identity.user, identity, listener: local.name, address: "" };
}

export async function explanationOf(
  facts: MemberFacts,
  { config, file, text }: LoadSuccess,
): Promise<RuleExplanation> {
  const { rules } = await filePlaces({ config, file, text });
  return explainRule(config, facts, rules);
}

/** Where each rule and each listener of a file stands. */
export async function filePlaces({
  config,
  file,
  text,
}: Pick<LoadSuccess, "config" | "file" | "text">): Promise<FilePlaces> {
  if (file === undefined) return { rules: [], listeners: [] };
  // What reads a file with positions is loaded when somebody asks, not by every daemon.
  const { Positions } = await import("../config/problems/positions.ts");
  const positions = new Positions(text);
  const placeOf = (table: string, index: number): string =>
    `${file}:${positions.find([table, index], "header").line}`;
  const isInFile = positions.has(["listener", 0]);
  return {
    rules: config.agents.map((_, index) => placeOf("agent", index)),
    // Options that name sockets take the place of those of the file.
    listeners: config.listeners.map((_, index) => (isInFile ? placeOf("listener", index) : "")),
  };
}
