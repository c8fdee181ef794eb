// Members without a rule, and rules without a member: read from /proc as the daemon reads it.
import { AgentRules, RULE_NONE } from "../../agents/rules.ts";
import type { MatchFacts } from "../../agents/match.ts";
import { ProcReader } from "../../processes/proc_reader.ts";
import { check, type Finding, leftOut, NEEDS_CONFIG, NEEDS_DAEMON, NOT_ASKED } from "../check.ts";
import type { Place, SeenDaemon } from "../place.ts";
import { doesSomething } from "../plans.ts";
import { counted, someOf } from "../words.ts";

export const UNNAMED_AGENTS = check({
  name: "unnamed_agents",
  about: "the members that beat now against the rules: who has none",
  gather: (place) => {
    const { config, daemon } = place;
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    // Without a single rule all are meant to have none.
    if (config.agents.length === 0) return NOT_ASKED;
    const seen = ruledMembers(place, daemon);
    const without = seen.filter(({ rule }) => rule === RULE_NONE);
    return {
      agents: [...new Set(without.map(({ agent }) => agent))],
      pid: without.find(({ isLocal }) => isLocal)?.pid,
      thresholdMs: config.observer.thresholdNs / 1e6,
      recovers: doesSomething(config.recovery),
    };
  },
  decide: unnamedFinding,
});

interface UnnamedFacts {
  readonly agents: readonly string[];
  /** One of their members on this machine. */
  readonly pid: number | undefined;
  readonly thresholdMs: number;
  /** [recovery] itself does something: it is theirs, too. */
  readonly recovers: boolean;
}

export function unnamedFinding(facts: UnnamedFacts): Finding | undefined {
  const { agents, pid, thresholdMs, recovers } = facts;
  if (agents.length === 0) return undefined;
  const [have, get] = agents.length === 1 ? ["has", "It gets"] : ["have", "They get"];
  return {
    severity: "advice",
    found: `${counted(agents.length, "agent")} ${have} no rule: ${someOf(agents)}.`,
    effect: `${get} the default threshold of ${shortText(thresholdMs)} and ${recovers ? "[recovery] itself" : "no plan"}.`,
    fix:
      pid === undefined
        ? { run: ["varta-watch status"] }
        : { words: `varta-watch check --explain ${pid}   (shows the rule to write)` },
  };
}

export const IDLE_RULES = check({
  name: "idle_rules",
  about: "the rules against the members that beat now: which takes none",
  gather: (place) => {
    const { config, daemon } = place;
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    const seen = ruledMembers(place, daemon);
    if (seen.length === 0) return leftOut("a member that beats");
    const used = new Set(seen.map(({ rule }) => rule));
    const idle = config.agents.flatMap((_, index) => (used.has(index) ? [] : [index]));
    return { idle, rules: config.agents.length, members: seen.length };
  },
  decide: ({ idle, rules, members }) =>
    idle.length === 0
      ? undefined
      : {
          severity: "advice",
          found: `${counted(idle.length, "rule")} of ${rules} ${idle.length === 1 ? "takes" : "take"} none of ${counted(members, "member")}: ${someOf(idle.map((index) => `[[agent]] ${index + 1}`))}.`,
          effect: "What it is for does not beat, or another rule before it takes it.",
          fix: { run: ["varta-watch check --print"] },
        },
});

interface RuledMember {
  readonly agent: string;
  readonly pid: number;
  readonly isLocal: boolean;
  readonly rule: number;
}

/** One whose process is gone or hidden is left out: its rule cannot be known. */
function ruledMembers({ config, proc }: Place, daemon: SeenDaemon): RuledMember[] {
  const rules = new AgentRules((config?.agents ?? []).map(({ match }) => match));
  const reader = new ProcReader(proc);
  const local = config?.listeners.find(({ kind }) => kind === "unix")?.name ?? "";
  return daemon.agents.flatMap(({ agent, members }) =>
    members.flatMap(({ pid, source }) => {
      const facts = source === null ? factsOf(reader, pid, local) : remoteFacts(source, config);
      if (facts === undefined) return [];
      return [{ agent, pid, isLocal: source === null, rule: rules.ruleOf(facts) }];
    }),
  );
}

function factsOf(reader: ProcReader, pid: number, listener: string): MatchFacts | undefined {
  const startTime = reader.startTime(pid);
  const uid = reader.realUid(pid);
  const identity = reader.identityOf(pid, startTime, uid, Number.NaN, 0);
  if (identity === undefined) return undefined;
  return { uid, user: identity.user, identity, listener, address: "" };
}

function remoteFacts(address: string, config: Place["config"]): MatchFacts | undefined {
  const networks = (config?.listeners ?? []).filter(({ kind }) => kind !== "unix");
  const [only] = networks;
  // By which of several it beats is not known here.
  if (networks.length !== 1 || only === undefined) return undefined;
  return { uid: Number.NaN, user: "", identity: undefined, listener: only.name, address };
}

function shortText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
