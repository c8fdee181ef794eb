// The process that `check --explain PID` asks about, as the daemon would see it if it beat now, and
// the answer with the lines of the file.
import type { LoadSuccess } from "../config/load_result.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { type ExplainedProcess, explanationText } from "./explained_rule.ts";

/** Undefined = it does not run, or is hidden from us. */
export function explainedProcess(
  pid: number,
  { listeners }: LoadSuccess["config"],
  processes = new ProcReader(),
): ExplainedProcess | undefined {
  const startTime = processes.startTime(pid);
  const uid = processes.realUid(pid);
  const identity = processes.identityOf(pid, startTime, uid, Number.NaN, 0);
  if (identity === undefined) return undefined;
  // A process of this machine beats at a socket; at the first, if nothing says otherwise.
  const local = listeners.find(({ kind }) => kind === "unix") ?? listeners[0]!;
  const facts = { uid, user: identity.user, identity, listener: local.name, address: "" };
  return { pid, facts };
}

export async function explanation(
  asked: ExplainedProcess,
  { config, file, text }: LoadSuccess,
): Promise<string> {
  const { Positions } = await import("../config/problems/positions.ts");
  const positions = new Positions(text);
  const places = config.agents.map(
    (_, index) => `${file}:${positions.find(["agent", index], "header").line}`,
  );
  return explanationText(config, asked, places);
}
