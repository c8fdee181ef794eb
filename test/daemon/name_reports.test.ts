// What a person reads about names that members announce and do not have.
import { describe, expect, test } from "bun:test";
import type { MemberFacts } from "../../src/agents/naming.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { NameReports } from "../../src/daemon/name_reports.ts";

class Subject {
  nowNs = 0;
  readonly lines: string[] = [];
  readonly reports = new NameReports(
    {
      warn: (msg, { pid, name, reason, count } = {}) =>
        this.#heard([msg, pid, name, reason, count]),
    },
    () => this.nowNs,
  );

  refuse(pid: number, announced: string, reason: "not_allowed" | "other_owner"): void {
    this.reports.refused({ pid, user: "app", announced } as MemberFacts, reason);
  }

  take(): string[] {
    return this.lines.splice(0);
  }

  #heard(words: readonly unknown[]): void {
    this.lines.push(words.join(" "));
  }
}

describe("NameReports", () => {
  test("writes the first of each reason at once, and the others once a minute with their number", () => {
    const own = new Subject();
    own.refuse(2, "web", "not_allowed");
    own.refuse(3, "db", "other_owner");
    expect(own.take()).toEqual([
      "name refused 2 web not_allowed 1",
      "name refused 3 db other_owner 1",
    ]);
    expect(own.reports.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    own.nowNs = NS_PER_S;
    own.refuse(4, "web-1", "not_allowed");
    own.refuse(5, "web-2", "not_allowed");
    expect(own.take()).toEqual([]);
    expect(own.reports.nextDeadlineNs()).toBe(60 * NS_PER_S);
    own.reports.maintain(60 * NS_PER_S - 1);
    expect(own.take()).toEqual([]);
    own.reports.maintain(60 * NS_PER_S);
    expect(own.take()).toEqual(["name refused 5 web-2 not_allowed 2"]);
    own.reports.maintain(600 * NS_PER_S);
    expect(own.take()).toEqual([]);
  });
});
