// What somebody may tell the daemon to do (spec 16 sections 8 to 10): mute, unmute, recover,
// forget, and the level of the log for a time. Each is answered with what is true now and when it
// ends, is an info line, and a row of the audit log with who asked. Called between two turns.
import { isAbout, isMutedAs, type Mute, type MuteTarget, mutedText } from "../agents/mutes.ts";
import { durationTextFromNs } from "../base/duration_text.ts";
import { LOG_LEVEL_NS_MAX, MUTE_NS_MAX, MUTES_MAX } from "../base/limits.ts";
import { shellWord } from "../base/shell_word.ts";
import { saturatingSub } from "../base/saturating.ts";
import { wholeMsFromNs, utcText } from "../base/time.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import type { LogLevel } from "../config/config.ts";
import type { ActsDoor, MuteRequest, RecoverRequest } from "../control/acts_door.ts";
import type { Act, Asker } from "../events/act.ts";
import type { Observer } from "../observer/observer.ts";
import type { Gate } from "../recovery/hand_gates.ts";
import { plannedStep } from "../recovery/plan.ts";
import type { Recovery } from "../recovery/recovery.ts";
import { type SlotsView, sourceOf } from "../tracker/slots.ts";
import type {
  ActRefusal,
  ForgetAnswer,
  LogLevelAnswer,
  MuteAnswer,
  MutedAgent,
  MutesView,
  RecoverDryRun,
  RecoveryBegun,
  UnmuteAnswer,
} from "../view/act_views.ts";
import type { ReloadResult } from "../view/reload_view.ts";
import type { Found, MemberSearch, Unfound } from "../view/member_search.ts";
import type { Deadline } from "./deadline.ts";
import type { Log } from "./log.ts";
import type { Muting } from "./muting.ts";

/** Characters of a reason: one line of a table. */
const MUTE_REASON_CHARACTERS_MAX = 120;

interface ActsOptions {
  readonly observer: Observer;
  readonly recovery: Recovery;
  readonly muting: Muting;
  readonly search: MemberSearch;
  readonly log: Log;
  /** For audit log and export. */
  readonly acted: (act: Act) => void;
  readonly nowNs: () => number;
  /** Unix time of observer time 0, in ms. */
  readonly unixMsAtStart: () => number;
  /** Its digits if it has none. */
  readonly userName: (uid: number) => string;
}

export class Acts implements ActsDoor, Deadline {
  readonly #options: ActsOptions;
  /** What the configuration says, while another level holds. */
  #levelBefore: LogLevel | undefined;
  #levelUntilNs = Number.POSITIVE_INFINITY;

  constructor(options: ActsOptions) {
    this.#options = options;
  }

  mute({ target, forNs, reason }: MuteRequest, by: Asker): MuteAnswer | ActRefusal {
    if (!(forNs > 0 && forNs <= MUTE_NS_MAX))
      return badField(`a mute ends within ${durationTextFromNs(MUTE_NS_MAX)}`, "--for 30m");
    const found = this.#targetOf(target);
    if ("error" in found) return found;
    const { muting, nowNs } = this.#options;
    if (!muting.mutes.hasRoomFor(found)) {
      const text = `there are ${MUTES_MAX} mutes: no room for one more`;
      return this.#refuse("mute", mutedText(found), by, { error: "refused", text });
    }
    const beganNs = nowNs();
    const untilNs = beganNs + forNs;
    const mute: Mute = { target: found, reason: shortReason(reason), by, beganNs, untilNs };
    muting.begin(mute);
    const why = mute.reason === "" ? "" : `: ${mute.reason}`;
    this.#acted("mute", mutedText(found), by, `for ${durationTextFromNs(forNs)}${why}`);
    return { v: 1, time: this.#time(beganNs), mutes: this.#shown([mute]) };
  }

  unmute(target: string | undefined, by: Asker): UnmuteAnswer | ActRefusal {
    const { muting, nowNs } = this.#options;
    const { mutes } = muting;
    const now = nowNs();
    // What it was muted as may be known no more: a process that ended, a pattern.
    const known = mutes
      .list()
      .find((mute) => target !== undefined && isMutedAs(mute.target, target));
    const found = known?.target ?? this.#targetOf(target);
    if ("error" in found) return found;
    const ended = mutes.end(found, now);
    if (ended.length === 0)
      return this.#refuse("unmute", mutedText(found), by, this.#notMuted(found, now));
    this.#acted("unmute", mutedText(found), by, `${ended.length} ended`);
    const { agents } = this.#options.observer.tracker.table;
    const untold = this.#options.recovery.held.untold(now);
    const unmuted = this.#shown(ended).map(({ agent, state }, index) => {
      const mute = ended[index]!;
      const still = this.#muteAround(mute.target, now);
      const left_ms = wholeMsFromNs(saturatingSub(mute.untilNs, now));
      const pid = mute.target.kind === "member" ? mute.target.pid : null;
      const reported = untold.some((stall) =>
        isAbout(mute.target, agents.nameOf(stall.agent), stall.key),
      );
      return { agent, state, left_ms, recovery: null, still: still ?? null, reported, pid };
    });
    return { v: 1, time: this.#time(now), unmuted };
  }

  #notMuted(target: MuteTarget, nowNs: number): ActRefusal {
    const around = this.#muteAround(target, nowNs);
    const what = target.kind === "all" ? "all agents" : mutedText(target);
    const text =
      around === undefined
        ? `no mute of ${what} holds`
        : `no mute of ${what} alone holds: that of ${around} does`;
    return { error: "refused", text, hint: "varta-watch mutes" };
  }

  /** The mute that holds an agent or a member with others. */
  #muteAround(target: MuteTarget, nowNs: number): string | undefined {
    if (target.kind !== "agent" && target.kind !== "member") return undefined;
    const mute = this.#options.muting.mutes.muteOfName(target.name, nowNs);
    return mute === undefined ? undefined : mutedText(mute.target);
  }

  mutes(): MutesView {
    const { muting, nowNs } = this.#options;
    return { v: 1, time: this.#time(nowNs()), mutes: this.#shown(muting.mutes.list()) };
  }

  /** What `recover` would find and do. Nothing is done, and no act is noted. */
  tryRecover({ target, isForced }: RecoverRequest): RecoverDryRun | ActRefusal {
    const found = this.#memberToRecover(target);
    if ("error" in found) return found;
    const { recovery, nowNs } = this.#options;
    const stall = this.#stallOf(found.slot);
    const gates = recovery.gatesOf(stall, nowNs());
    const shown = gates.map(({ gate, isOpen, isPace, fact }) => {
      const passed_over = !isOpen && isPassed({ gate, isPace }, isForced);
      return { gate, open: isOpen, passed_over, found: fact };
    });
    const shut = shown.find(({ open, passed_over }) => !open && !passed_over);
    return {
      v: 1,
      time: this.#time(nowNs()),
      agent: found.name,
      pid: stall.pid,
      stalled: found.stalled,
      gates: shown,
      refused: shut?.gate ?? null,
      steps: recovery.planOf(stall).steps.map(plannedStep),
    };
  }

  recover(request: RecoverRequest, by: Asker): RecoveryBegun | ActRefusal {
    const found = this.#memberToRecover(request.target);
    if ("error" in found) return found;
    const { recovery, nowNs } = this.#options;
    const stall = this.#stallOf(found.slot);
    const { name } = found;
    const { gates, refused, recoveryId } = recovery.byHand(stall, request.isForced, nowNs());
    const passed = gates.filter((gate) => !gate.isOpen && isPassed(gate, request.isForced));
    if (refused !== undefined) {
      const fact = gates.find(({ gate, isOpen }) => gate === refused && !isOpen)?.fact;
      const text = fact === undefined ? `refused (${refused})` : `refused (${refused}): ${fact}`;
      const refusal = { error: "refused", text, gate: refused } as const;
      return this.#refuse("recover", name, by, refusal, stall.pid);
    }
    const passed_over = passed.map(({ gate }) => gate);
    const over = passed_over.length === 0 ? "" : `, passed over ${passed_over.join(" ")}`;
    this.#acted("recover", name, by, `recovery ${recoveryId || "waits"}${over}`, stall.pid);
    const { name: plan, steps } = recovery.planOf(stall);
    const who = { agent: name, pid: stall.pid, by: this.#userText(by) };
    return { v: 1, id: recoveryId, ...who, plan, steps: steps.length, passed_over };
  }

  /** Only what is silent or gone: what beats would come back with its next beat. */
  forget(target: string, by: Asker): ForgetAnswer | ActRefusal {
    const { search, observer, recovery, nowNs } = this.#options;
    const found = search.find(target);
    if ("error" in found) return found;
    const { tracker } = observer;
    const { slots } = tracker;
    const silent = found.slots.filter((slot) => slots.isLatched(slot));
    const beating = found.slots.length - silent.length;
    const refuse = (text: string, hint?: string): ActRefusal =>
      this.#refuse("forget", found.name, by, { error: "refused", text, hint });
    const members = found.slots.length === 1 ? "1 member" : `${found.slots.length} members`;
    if (beating > 0)
      return refuse(
        found.isMember
          ? `${target} beats: only what is silent or gone`
          : `${target} beats (${beating} of ${members}): only what is silent or gone`,
        forgetHint(
          target,
          silent.map((slot) => memberName(slots, slot)),
        ),
      );
    if (silent.length === 0) return refuse(`${target} has no member that could be forgotten`);
    if (silent.some((slot) => recovery.runningOf(slots.key[slot]!) !== undefined))
      return refuse(`a recovery of ${target} runs`, `varta-watch explain ${shellWord(target)}`);
    const oldestNs = silent.reduce((ns, slot) => Math.min(ns, slots.lastNs[slot]!), Infinity);
    // Removal moves the last slot into the hole: from the last to the first.
    for (const slot of silent.sort((a, b) => b - a)) {
      recovery.held.drop(slots.key[slot]!);
      tracker.ends.forget(slot);
    }
    const for_ms = wholeMsFromNs(saturatingSub(nowNs(), oldestNs));
    const pid = found.isMember ? found.pid : Number.NaN;
    this.#acted("forget", found.name, by, `${silent.length} forgotten`, pid);
    return { v: 1, name: target, state: "stalled", for_ms };
  }

  logLevel(level: LogLevel, forNs: number, by: Asker): LogLevelAnswer | ActRefusal {
    if (!(forNs > 0 && forNs <= LOG_LEVEL_NS_MAX))
      return badField(
        `a level holds for at most ${durationTextFromNs(LOG_LEVEL_NS_MAX)}`,
        "--for 10m",
      );
    const { log, nowNs } = this.#options;
    this.#levelBefore ??= log.level;
    this.#levelUntilNs = nowNs() + forNs;
    // Before a level that would leave it out.
    this.#acted("log_level", "", by, `${level} for ${durationTextFromNs(forNs)}`);
    log.level = level;
    const until = this.#time(this.#levelUntilNs);
    // biome-ignore lint/suspicious/noThenProperty: a word of the answer, and no function.
    return { v: 1, level, until, then: this.#levelBefore };
  }

  /** The file was read again because somebody asked for it. */
  reloaded({ changes, problems }: ReloadResult, by: Asker): void {
    const isRefused = problems.length > 0;
    const count = isRefused ? problems.length : changes.length;
    const detail = `${count} ${isRefused ? "problem" : "change"}${count === 1 ? "" : "s"}`;
    this.#note({ ...this.#actOf("reload", "", by, detail, Number.NaN), isRefused });
  }

  nextDeadlineNs(): number {
    return this.#levelUntilNs;
  }

  /** The configuration says `level` from now on; one that holds for a time goes on. */
  configureLevel(level: LogLevel): void {
    if (this.#levelBefore === undefined) this.#options.log.level = level;
    else this.#levelBefore = level;
  }

  /** The level of the configuration holds again. */
  maintain(nowNs: number): void {
    if (nowNs < this.#levelUntilNs || this.#levelBefore === undefined) return;
    const { log } = this.#options;
    log.level = this.#levelBefore;
    this.#levelBefore = undefined;
    this.#levelUntilNs = Number.POSITIVE_INFINITY;
    log.info("log level is back", { log_level: log.level });
  }

  /** A pattern holds for names to come, but must match one that is known: it may be misspelt. */
  #targetOf(text: string | undefined): MuteTarget | Unfound {
    const { search, observer } = this.#options;
    if (text === undefined || text === "*") return { kind: "all" };
    if (/[*?]/.test(text)) {
      const unfound = search.unmatched(text);
      return unfound ?? { kind: "glob", glob: text };
    }
    const found = search.find(text);
    if ("error" in found) return found;
    if (!found.isMember) return { kind: "agent", name: found.name };
    const { slots } = observer.tracker;
    const slot = found.slots[0]!;
    const { pid, name } = found;
    return {
      kind: "member",
      name,
      pid,
      key: slots.key[slot]!,
      generation: slots.generation[slot]!,
    };
  }

  #memberToRecover(target: string): (Found & { slot: number; stalled: number }) | ActRefusal {
    const { search, observer } = this.#options;
    const found = search.find(target);
    if ("error" in found) return found;
    const { slots } = observer.tracker;
    const stalled = found.slots.filter((slot) => slots.isLatched(slot));
    const candidates = stalled.length > 0 ? stalled : found.slots;
    const [first, ...more] = candidates;
    if (first === undefined)
      return { error: "refused", text: `${target} has no member`, gate: "not_stalled" };
    const slot = more.reduce((a, b) => (slots.lastNs[b]! < slots.lastNs[a]! ? b : a), first);
    return { ...found, slot, stalled: stalled.length };
  }

  #stallOf(slot: number) {
    const { observer, nowNs } = this.#options;
    return observer.silence.stalls.ofSlot(slot, nowNs());
  }

  #shown(mutes: readonly Mute[]): MutedAgent[] {
    const states = this.#options.search.statesOf(mutes.map(({ target }) => target));
    return mutes.map(({ target, beganNs, untilNs, by, reason }, index) => {
      const since = this.#time(beganNs);
      // As long as it was asked for, to the millisecond: each time is rounded for itself.
      const untilMs = Date.parse(since) + wholeMsFromNs(untilNs - beganNs);
      const until = new Date(untilMs).toISOString();
      const state = states[index]!;
      return { agent: mutedText(target), state, since, until, by: this.#userText(by), reason };
    });
  }

  #refuse(
    act: Act["act"],
    target: string,
    by: Asker,
    refusal: ActRefusal,
    pid = Number.NaN,
  ): ActRefusal {
    this.#note({ ...this.#actOf(act, target, by, refusal.text, pid), isRefused: true });
    return refusal;
  }

  #acted(act: Act["act"], target: string, by: Asker, detail: string, pid = Number.NaN): void {
    this.#note(this.#actOf(act, target, by, detail, pid));
  }

  #actOf(
    act: Act["act"],
    target: string,
    { uid, pid: byPid, comm }: Asker,
    detail: string,
    pid: number,
  ): Act {
    const who = { byUid: uid, byPid, by: comm };
    return {
      observerNs: this.#options.nowNs(),
      act,
      target,
      pid,
      ...who,
      detail,
      isRefused: false,
    };
  }

  #note(act: Act): void {
    const { log, acted } = this.#options;
    acted(act);
    // That of a mute says who asked.
    if (act.act === "mute" && !act.isRefused) return;
    log.info(act.isRefused ? "act refused" : "act done", {
      agent: act.target || undefined,
      pid: Number.isNaN(act.pid) ? undefined : act.pid,
      act: act.act,
      detail: act.detail,
      by_uid: act.byUid,
      by_pid: act.byPid,
      by: act.by,
    });
  }

  #userText({ uid }: Asker): string {
    return this.#options.userName(uid);
  }

  #time(observerNs: number): string {
    return utcText(observerNs, this.#options.unixMsAtStart());
  }
}

function isPassed({ gate, isPace }: Pick<Gate, "gate" | "isPace">, isForced: boolean): boolean {
  return isPace || (isForced && gate === "not_stalled");
}

/** "10.0.4.20/811" of a remote one. */
function memberName(slots: SlotsView, slot: number): string {
  const source = sourceOf(slots, slot);
  const pid = String(slots.pid[slot]!);
  return source === "" ? pid : shellWord(`${source}/${pid}`);
}

/** What may be done instead: to forget the members that are silent, if there are any. */
function forgetHint(target: string, [silent]: readonly string[]): string {
  const mute = `varta-watch mute ${shellWord(target)} --for 30m`;
  return silent === undefined ? mute : `varta-watch forget ${silent}, or ${mute}`;
}

/** One line that no terminal obeys. */
function shortReason(reason: string): string {
  const plain = escapeUnprintable(reason.replace(/\s+/g, " ").trim());
  return [...plain].slice(0, MUTE_REASON_CHARACTERS_MAX).join("");
}

function badField(text: string, hint: string): ActRefusal {
  return { error: "bad_field", text, hint };
}
