// The slow, obvious twin of src/agents/replacements.ts: all ends and all newcomers in two lists,
// and the rules of spec 14 section 4.1 read from the page.
import type { Newcomer, OpenEnd } from "../../src/agents/replacements.ts";

const MS = 1e6;

export class ReplacementsTwin {
  ends: OpenEnd[] = [];
  newcomers: Newcomer[] = [];

  ended(end: OpenEnd): Newcomer | undefined {
    const [itself] = this.newcomers.filter((n) => n.pid === end.pid && n.group === end.group);
    this.newcomers = this.newcomers.filter((newcomer) => newcomer !== itself);
    const [first] = this.newcomers
      .filter((newcomer) => mayExcuse(newcomer, end))
      .sort((a, b) => a.startedNs - b.startedNs);
    if (first === undefined) this.ends.push(end);
    this.newcomers = this.newcomers.filter((one) => one !== first);
    return first;
  }

  began(newcomer: Newcomer): OpenEnd | undefined {
    this.newcomers = this.newcomers.filter((one) => newcomer.beganNs - one.beganNs <= 60_000 * MS);
    const [first] = this.ends
      .filter((end) => mayExcuse(newcomer, end))
      .sort((a, b) => a.dueNs - b.dueNs);
    if (first === undefined) this.newcomers = [...this.newcomers.slice(-4_095), newcomer];
    this.ends = this.ends.filter((one) => one !== first);
    return first;
  }

  closed(end: OpenEnd): void {
    this.ends = this.ends.filter((one) => one !== end);
  }
}

function mayExcuse(newcomer: Newcomer, end: OpenEnd): boolean {
  const beforeMs = (end.endedNs - newcomer.startedNs) / MS;
  const ageMs = (newcomer.startedNs - end.startedNs) / MS;
  if (newcomer.group !== end.group) return false;
  const isAfter = beforeMs <= 20 && ageMs > 20;
  return isAfter || (beforeMs <= 5_000 && ageMs > 5_000);
}
