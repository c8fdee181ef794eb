// What becomes of messages of sd_notify by the words of spec 20, slowly: a member is a few plain
// fields, and its deadline is worked out anew each time. The rule takes everybody: a threshold of
// 10 s, and 2 s to 60 s for who asks.
import { NS_PER_S } from "../../src/base/time.ts";
import { referenceMessage } from "../reference/notify_message.ts";

export const RULE_NS = { threshold: 10 * NS_PER_S, min: 2 * NS_PER_S, max: 60 * NS_PER_S };
const GOODBYE_NS = 90 * NS_PER_S;
const NEVER = Number.NEGATIVE_INFINITY;

export interface ModelMember {
  lastNs: number;
  thresholdNs: number;
  /** What it asks for, one after the other, until it is heard at the end of the turn. */
  askedNs: number[];
  graceEndNs: number;
  ownGraceEndNs: number;
  goodbyeNs: number | undefined;
  isMoved: boolean;
  hasMercy: boolean;
  isStalled: boolean;
  isCritical: boolean;
  status: string;
  isReloading: boolean;
  errno: number;
  hasTriggered: boolean;
  /** It is judged as soon as its grace is over. */
  isTriggered: boolean;
}

export class NotifyModel {
  readonly members = new Map<number, ModelMember>();
  /** Members that nobody has looked at: they came in this turn. */
  readonly #fresh = new Set<ModelMember>();
  /** Whether one process may speak for another one. */
  readonly #maySpeakFor: (sender: number, pid: number) => boolean;

  constructor(maySpeakFor: (sender: number, pid: number) => boolean) {
    this.#maySpeakFor = maySpeakFor;
  }

  /** "accepted", or the reject reason. */
  say(sender: number, bytes: Uint8Array, nowNs: number): string {
    const message = referenceMessage(bytes);
    if (!("fields" in message)) return "text";
    const { fields } = message;
    const hasBeat = "WATCHDOG=trigger" in fields || "WATCHDOG=1" in fields;
    const pid = hasBeat ? Number(fields["MAINPID"] ?? sender) : sender;
    if (pid !== sender && !this.#maySpeakFor(sender, pid)) return "mainpid";
    // One that was not judged yet outlives a beat.
    const isTrigger = "WATCHDOG=trigger" in fields || (hasBeat && this.#isDue(pid, nowNs));
    if (hasBeat) this.#beat(pid, isTrigger, nowNs);
    const member = this.members.get(pid);
    if (member === undefined) return "accepted";
    if (isTrigger) this.#trigger(member, nowNs);
    if ("READY" in fields && member.goodbyeNs !== undefined && !member.isStalled)
      this.#hear(member, nowNs);
    if ("STOPPING" in fields) this.#stop(member, nowNs);
    if ("WATCHDOG_USEC" in fields) member.askedNs.push(Number(fields["WATCHDOG_USEC"]) * 1_000);
    if ("EXTEND_TIMEOUT_USEC" in fields)
      this.#extend(member, Number(fields["EXTEND_TIMEOUT_USEC"]) * 1_000, nowNs);
    if ("READY" in fields) member.isReloading = false;
    if ("RELOADING" in fields) member.isReloading = true;
    if ("ERRNO" in fields) member.errno = Number(fields["ERRNO"]);
    if ("STATUS" in fields)
      member.status = Buffer.from(String(fields["STATUS"]), "latin1").toString("utf8");
    return "accepted";
  }

  /** The turn is over: who is due is stalled, then what was asked for is heard. */
  endTurn(nowNs: number): number[] {
    const stalled: number[] = [];
    for (const [pid, member] of this.members) {
      // A member that is new is looked at before it is judged.
      if (this.#fresh.has(member)) this.#hearAsked(member, nowNs);
      if (member.isStalled || nowNs < this.dueNs(member)) continue;
      member.isStalled = true;
      stalled.push(pid);
    }
    for (const member of this.members.values()) this.#hearAsked(member, nowNs);
    this.#fresh.clear();
    return stalled.sort((a, b) => a - b);
  }

  #isDue(pid: number, nowNs: number): boolean {
    const member = this.members.get(pid);
    return member?.isTriggered === true && !member.isStalled && member.graceEndNs <= nowNs;
  }

  dueNs({ lastNs, thresholdNs, graceEndNs, isTriggered }: ModelMember): number {
    if (isTriggered) return graceEndNs;
    return Math.max(lastNs + thresholdNs, graceEndNs);
  }

  #beat(pid: number, isCritical: boolean, nowNs: number): void {
    let member = this.members.get(pid);
    if (member === undefined) {
      member = {
        ...{ lastNs: nowNs, thresholdNs: RULE_NS.threshold, askedNs: [] },
        ...{
          graceEndNs: NEVER,
          ownGraceEndNs: NEVER,
          goodbyeNs: undefined,
          isMoved: false,
          hasMercy: false,
        },
        ...{ isStalled: false, isCritical, status: "", isReloading: false, errno: 0 },
        hasTriggered: false,
        isTriggered: false,
      };
      this.members.set(pid, member);
      this.#fresh.add(member);
    }
    member.isStalled = false;
    member.isCritical = isCritical;
    member.hasTriggered = false;
    this.#hear(member, nowNs);
  }

  #hear(member: ModelMember, nowNs: number): void {
    this.#ownGrace(member);
    member.lastNs = nowNs;
    member.goodbyeNs = undefined;
  }

  #ownGrace(member: ModelMember): void {
    if (isLent(member)) member.graceEndNs = member.ownGraceEndNs;
    member.isMoved = false;
    member.isTriggered = false;
    member.hasMercy = false;
  }

  #lend(member: ModelMember): void {
    if (!isLent(member)) member.ownGraceEndNs = member.graceEndNs;
  }

  #trigger(member: ModelMember, nowNs: number): void {
    const isInGrace = member.graceEndNs > nowNs;
    this.#lend(member);
    member.isMoved = true;
    member.lastNs = nowNs - member.thresholdNs;
    if (!isInGrace) member.graceEndNs = nowNs;
    member.hasTriggered = true;
    member.isTriggered = true;
  }

  #stop(member: ModelMember, nowNs: number): void {
    if (member.isStalled || member.goodbyeNs !== undefined) return;
    this.#ownGrace(member);
    this.#lend(member);
    member.goodbyeNs = nowNs;
    member.graceEndNs = nowNs + GOODBYE_NS;
  }

  #extend(member: ModelMember, askedNs: number, nowNs: number): void {
    if (member.isStalled || member.isMoved) return;
    this.#lend(member);
    member.isMoved = true;
    // Who was not looked at yet has no rule that hears it.
    const maxNs = this.#fresh.has(member) ? RULE_NS.threshold : RULE_NS.max;
    const moreNs = Math.min(askedNs, maxNs, 600 * NS_PER_S);
    const judgedNs = member.goodbyeNs === undefined ? this.dueNs(member) : member.graceEndNs;
    member.graceEndNs = Math.max(judgedNs, nowNs + moreNs);
  }

  #hearAsked(member: ModelMember, nowNs: number): void {
    const isFresh = this.#fresh.has(member);
    // Of one that is looked at for the first time the last one is heard.
    const heard = isFresh ? member.askedNs.slice(-1) : member.askedNs;
    member.askedNs = [];
    for (const askedNs of heard) this.#change(member, askedNs, isFresh, nowNs);
  }

  #change(member: ModelMember, askedNs: number, isFresh: boolean, nowNs: number): void {
    const before = this.dueNs(member);
    const thresholdNs = Math.min(RULE_NS.max, Math.max(RULE_NS.min, stepAbove(askedNs)));
    if (thresholdNs === member.thresholdNs) return;
    member.thresholdNs = thresholdNs;
    if (isFresh || member.goodbyeNs !== undefined || this.dueNs(member) >= before) return;
    // No silence of before is judged by what is stricter.
    const mercyNs = Math.min(before, nowNs + thresholdNs);
    if (mercyNs <= this.dueNs(member)) return;
    this.#lend(member);
    member.hasMercy = true;
    member.graceEndNs = mercyNs;
  }
}

function isLent({ isMoved, hasMercy, goodbyeNs }: ModelMember): boolean {
  return isMoved || hasMercy || goodbyeNs !== undefined;
}

/** The steps of spec 15 section 8.1. */
function stepAbove(askedNs: number): number {
  const figures = [1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.6, 4, 4.5, 5, 6, 7.5, 9];
  for (let ten = 1e7; ten < 1e17; ten *= 10)
    for (const figure of figures) if (Math.round(figure * ten) >= askedNs) return figure * ten;
  return askedNs;
}
