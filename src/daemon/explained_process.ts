// The process that `check --explain PID` asks about, as the daemon would see it if it beat now, and
// the answer with the lines of the file.
import type { MemberFacts } from "../agents/naming.ts";
import type { LoadSuccess } from "../config/load_result.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { explainRule, type RuleExplanation } from "./explained_rule.ts";

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
    listeners.find((one) => one.kind === "unix" && (one.containers || !isContained)) ??
    listeners.find(({ kind }) => kind === "unix") ??
    listeners[0]!;
  return { pid, uid, user: identity.user, identity, listener: local.name, address: "" };
}

export async function explanationOf(
  facts: MemberFacts,
  { config, file, text }: LoadSuccess,
): Promise<RuleExplanation> {
  return explainRule(config, facts, await rulePlaces({ config, file, text }));
}

/** "/etc/varta/varta.toml:31" for each rule. */
export async function rulePlaces({
  config,
  file,
  text,
}: Pick<LoadSuccess, "config" | "file" | "text">): Promise<readonly string[]> {
  if (config.agents.length === 0) return [];
  // What reads a file with positions is loaded when somebody asks, not by every daemon.
  const { Positions } = await import("../config/problems/positions.ts");
  const positions = new Positions(text);
  return config.agents.map(
    (_, index) => `${file}:${positions.find(["agent", index], "header").line}`,
  );
}
