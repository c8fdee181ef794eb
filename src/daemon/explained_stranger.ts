// A process of this machine that is no member, for `explain PID` (spec 16 section 12): who it is,
// the agent that it would be, whether it may beat, and what was refused of it. Read when it is
// asked: some small files of /proc, and the mode of one socket.
import { statSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { MemberFacts } from "../agents/naming.ts";
import type { Observer } from "../observer/observer.ts";
import { GENERATION_NS } from "../processes/generation.ts";
import { msFromNs } from "../base/time.ts";
import { modeText } from "../config/problems/found.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import type { StrangerView } from "../view/explain_view.ts";
import { whoView } from "./explained_member.ts";
import { explainedProcess } from "./explained_process.ts";
import { explainRule } from "./explained_rule.ts";
import { ruleView } from "./explained_rule_view.ts";
import type { FilePlaces, LiveConfig } from "./live_config.ts";
import type { RefusalReports } from "./refusal_reports.ts";

interface StrangersOptions {
  readonly observer: Pick<Observer, "listeners" | "refusals">;
  readonly processes: ProcReader;
  readonly refusals: Pick<RefusalReports, "ofSender">;
  readonly live: LiveConfig;
  /** Its digits if it has none. */
  readonly groupName: (gid: number) => string;
  readonly wallMs: () => number;
  /** Now as a start time of processes. */
  readonly nowGeneration: () => number;
}

type May = NonNullable<StrangerView["may"]>;

const MODE_BITS = 0o777;
const OWNER_WRITES = 0o200;
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

export class Strangers {
  readonly #options: StrangersOptions;

  constructor(options: StrangersOptions) {
    this.#options = options;
  }

  view(pid: number, places: FilePlaces): StrangerView {
    const { observer, processes, refusals, live, wallMs, nowGeneration } = this.#options;
    const config = live.current;
    const known = explainedProcess(pid, config, processes);
    const nobody = { pid, uid: Number.NaN, user: "", identity: undefined };
    const facts: MemberFacts = known ?? { ...nobody, listener: "", address: "" };
    const startTime = processes.startTime(pid);
    const ageMs = msFromNs((nowGeneration() - startTime) * GENERATION_NS);
    return {
      v: 1,
      time: new Date(wallMs()).toISOString(),
      pid,
      runs: known !== undefined && processes.isAlive(pid, startTime),
      who: whoView(facts, Number.isNaN(ageMs) ? null : new Date(wallMs() - ageMs).toISOString()),
      agent: known === undefined ? "" : explainRule(config, facts, places.rules).agent,
      rule: ruleView(config, facts, places, undefined),
      may: known === undefined ? null : this.#may(facts, config),
      refused: refusals.ofSender(pid),
      refused_total: observer.refusals.total,
    };
  }

  /** Null = there is no socket file that it could beat at. */
  #may({ pid, uid, listener: name }: MemberFacts, config: Config): May | null {
    const { observer, processes } = this.#options;
    const found = config.listeners.find((one) => one.name === name);
    if (found === undefined || !("path" in found)) return null;
    const file = statSync(found.path, { throwIfNoEntry: false });
    if (file === undefined) return null;
    const mode = file.mode & MODE_BITS;
    const group = this.#options.groupName(file.gid);
    const gids = processes.groupsOf(pid);
    const socket = { socket: found.path, mode: modeText(mode), group };
    const answer = (by: May["by"], yes: boolean): May => ({ yes, ...socket, by });
    const isContained = processes.innermostPid(pid) !== pid;
    if (isContained && !found.containers) return answer("namespace", false);
    const list = observer.listeners.find((one) => one.name === name)?.allowList;
    if (list !== undefined && !list.allows(uid, gids[0] ?? Number.NaN))
      return answer("allow_list", false);
    if (uid === 0) return answer("root", true);
    if (uid === file.uid) return answer("owner", (mode & OWNER_WRITES) !== 0);
    if (gids.includes(file.gid)) return answer("group", (mode & GROUP_WRITES) !== 0);
    return answer("others", (mode & OTHERS_WRITE) !== 0);
  }
}
