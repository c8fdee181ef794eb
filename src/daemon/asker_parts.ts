// Makes what people are answered by who ask the daemon or tell it something (spec 16): acts,
// explanations, and names of users and groups.
import type { MemberNames } from "../agents/announcing.ts";
import { ruleFinder } from "./member_rules.ts";
import type { ExpectedAgents } from "../agents/expected_agents.ts";
import type { Act } from "../events/act.ts";
import type { CutOffMembers } from "../observer/cut_off.ts";
import type { ObserverClock } from "../observer/clock.ts";
import type { Observer } from "../observer/observer.ts";
import { nowGeneration } from "../processes/generation.ts";
import type { ProcReader } from "../processes/proc_reader.ts";
import { UserNames } from "../processes/user_names.ts";
import type { Recovery } from "../recovery/recovery.ts";
import type { EventFeed } from "../view/event_feed.ts";
import type { EventLog } from "../view/event_log.ts";
import type { GoneMembers } from "../view/gone_members.ts";
import { MemberSearch } from "../view/member_search.ts";
import type { StallNotes } from "../view/stall_notes.ts";
import type { SocketRights } from "../view/status_view.ts";
import { Acts } from "./acts.ts";
import { AskedBeatsDoor } from "./asked_beats.ts";
import { Strangers } from "./explained_stranger.ts";
import { Explaining } from "./explaining.ts";
import type { LiveConfig } from "./live_config.ts";
import type { Log } from "./log.ts";
import { monotonicNs } from "./monotonic.ts";
import type { Muting } from "./muting.ts";
import type { RefusalReports } from "./refusal_reports.ts";
import { socketRights } from "./socket_rights.ts";

export interface AskerParts {
  /** What somebody may tell the daemon to do. */
  readonly acts: Acts;
  /** Those who beat by the control socket. */
  readonly beats: AskedBeatsDoor;
  readonly explaining: Explaining;
  readonly socketRights: () => SocketRights | undefined;
  readonly userName: (uid: number) => string;
}

interface AskerOptions {
  readonly observer: Observer;
  readonly recovery: Recovery;
  readonly muting: Muting;
  readonly expected: ExpectedAgents;
  readonly refusals: RefusalReports;
  readonly processes: ProcReader;
  readonly live: LiveConfig;
  readonly names: MemberNames;
  readonly log: Log;
  readonly clock: ObserverClock;
  readonly events: EventLog;
  readonly feed: EventFeed;
  readonly notes: StallNotes;
  readonly gone: GoneMembers;
  readonly recordAct: (act: Act) => void;
  readonly cutOff: CutOffMembers | undefined;
  /** Unix time of observer time 0, in ms. */
  readonly unixMsAtStart: () => number;
}

export function makeAskerParts(options: AskerOptions): AskerParts {
  const { observer, clock, expected, feed, recordAct, names, live } = options;
  const users = new UserNames();
  const groups = new UserNames("/etc/group");
  const userName = (uid: number): string => users.nameOf(uid, monotonicNs());
  const groupName = (gid: number): string => groups.nameOf(gid, monotonicNs());
  const lastNs = (): number => clock.lastNs;
  const search = new MemberSearch({ tracker: observer.tracker, expected, nowNs: lastNs });
  const acted = (act: Act): void => {
    recordAct(act);
    feed.acted(act, userName(act.byUid));
  };
  const nowNs = (): number => clock.nowNs();
  return {
    acts: new Acts({ ...options, search, acted, nowNs, userName }),
    beats: new AskedBeatsDoor({ ...options, nowGeneration }),
    explaining: new Explaining({
      ...options,
      search,
      strangers: new Strangers({ ...options, groupName, wallMs: Date.now, nowGeneration }),
      expectedOf: (agent) => expected.expectedOf(agent),
      nameRefusalOf: (facts) => names.refusalOf(facts, ruleFinder(live.current.agents)(facts)),
      nowNs: lastNs,
      nowGeneration,
      userName,
    }),
    socketRights: () => {
      const { listeners, listenersInForce } = observer;
      const inForce = listenersInForce.map((number) => listeners[number]!);
      return socketRights(inForce, { userName, groupName });
    },
    userName,
  };
}
