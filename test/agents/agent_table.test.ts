// The names that are kept: whose they are, how many there may be, and which give up their place.
import { describe, expect, test } from "bun:test";
import { AGENT_NEW, AGENT_OTHER, AGENTS, AgentTable } from "../../src/agents/agent_table.ts";
import { type AgentName, OWNER_RULE } from "../../src/agents/naming.ts";

function free(text: string, owner = 1000): AgentName {
  return { text, owner, user: `user${owner}`, isFree: true };
}

function bound(text: string): AgentName {
  return { text, owner: OWNER_RULE, user: "x", isFree: false };
}

/** A member comes for each name; the names of their agents. */
function names(agents: AgentTable, wanted: readonly AgentName[]): string[] {
  return wanted.map((name) => {
    const number = agents.numberFor(name);
    agents.join(number);
    return agents.nameOf(number);
  });
}

describe("AgentTable", () => {
  test("gives the members of one name one number, and counts them", () => {
    const agents = new AgentTable();
    const number = agents.numberFor(free("nginx"));
    expect(agents.numberFor(free("nginx"))).toBe(number);
    agents.join(number);
    agents.join(number);
    agents.leave(number);
    expect([agents.membersOf(number), agents.nameOf(number)]).toEqual([1, "nginx"]);
    agents.leave(number);
    expect([agents.membersOf(number), agents.nameOf(number)]).toEqual([0, "nginx"]);
    expect(() => agents.leave(number)).toThrow("a member goes once");
  });

  test("counts who is present, whatever becomes of whom", () => {
    const agents = new AgentTable();
    const number = agents.numberFor(free("nginx"));
    agents.join(number);
    agents.join(number, false);
    expect([agents.membersOf(number), agents.presentOf(number)]).toEqual([2, 1]);
    agents.changed(number, true, false);
    expect([agents.membersOf(number), agents.presentOf(number)]).toEqual([2, 0]);
    agents.leave(number, false);
    agents.changed(number, false, true);
    expect([agents.membersOf(number), agents.presentOf(number)]).toEqual([1, 1]);
    expect(() => agents.changed(number, false, true)).toThrow("a member is absent once");
  });

  test("counts who is present of many that come and go at once", () => {
    const agents = new AgentTable();
    const number = agents.numberFor(free("nginx"));
    agents.joinMany(number, 5, 2);
    expect([agents.membersOf(number), agents.presentOf(number)]).toEqual([5, 3]);
    agents.leaveMany(number, 5, 2);
    agents.join(number);
    expect([agents.membersOf(number), agents.presentOf(number)]).toEqual([1, 1]);
  });

  test("has no name for members that are not identified yet, and one for those without a place", () => {
    const agents = new AgentTable();
    expect([agents.nameOf(AGENT_NEW), agents.nameOf(AGENT_OTHER)]).toEqual(["", "other"]);
    expect(agents.nameCount).toBe(0);
  });

  test("keeps uids apart: the second that wants a name has the user before it", () => {
    const agents = new AgentTable();
    const wanted = [free("nginx", 1), free("nginx", 2), free("nginx", 1), free("nginx", 2)];
    expect(names(agents, wanted)).toEqual(["nginx", "user2:nginx", "nginx", "user2:nginx"]);
  });

  test("keeps a name for its uid while it has no members", () => {
    const agents = new AgentTable();
    const number = agents.numberFor(free("nginx", 1));
    agents.join(number);
    agents.leave(number);
    expect(names(agents, [free("nginx", 2), free("nginx", 1)])).toEqual(["user2:nginx", "nginx"]);
  });

  test("lets no program take the name that another user gets beside its own", () => {
    const agents = new AgentTable();
    const wanted = [free("user2:nginx", 3), free("nginx", 1), free("nginx", 2)];
    expect(names(agents, wanted)).toEqual(["user2:nginx", "nginx", "user2%3Anginx"]);
  });

  test("lets no program join an agent of a rule, or those without a place", () => {
    const agents = new AgentTable();
    agents.reserve([{ name: "worker", bindsOwner: true }]);
    expect(names(agents, [free("worker", 3), bound("worker"), free("other", 3)])).toEqual([
      "user3:worker",
      "worker",
      "user3:other",
    ]);
  });

  test("gives a name that is reserved for one uid to the first that comes", () => {
    const agents = new AgentTable();
    agents.reserve([{ name: "worker", bindsOwner: false }]);
    expect(names(agents, [free("worker", 3), free("worker", 4)])).toEqual([
      "worker",
      "user4:worker",
    ]);
  });

  test("keeps the places of reserved names, whatever programs are called", () => {
    const agents = new AgentTable(5);
    agents.reserve([{ name: "worker", bindsOwner: true }]);
    const rubbish = Array.from({ length: 8 }, (_, number) => free(`.org.x.${number}`));
    expect(names(agents, rubbish).filter((name) => name === "other")).toHaveLength(6);
    expect(agents.counters.get(AGENTS.sharedOther)).toBe(6);
    expect(names(agents, [bound("worker"), bound("a"), bound("b"), bound("c")])).toEqual([
      "worker",
      "a",
      "b",
      "other",
    ]);
    expect(agents.nameCount).toBe(5);
  });

  test("gives the place of the name that was left first to a new one, and its number to nobody", () => {
    const agents = new AgentTable(4);
    const [first, second] = [free("a"), free("b")].map((name) => agents.numberFor(name)) as [
      number,
      number,
    ];
    for (const number of [first, second]) agents.join(number);
    for (const number of [second, first]) agents.leave(number);
    const third = agents.numberFor(free("c"));
    expect([first, second, third].map((number) => agents.nameOf(number))).toEqual(["a", "", "c"]);
    expect(agents.membersOf(second)).toBe(0);
    expect(() => agents.join(second)).toThrow("a member joins an agent that there is");
  });

  test("takes the place of a left name that anybody can make up for one that nobody can", () => {
    const agents = new AgentTable(2);
    agents.numberFor(free("a"));
    expect(names(agents, [bound("x"), bound("y"), bound("z")])).toEqual(["x", "y", "other"]);
  });

  test("names no other agent by a number before half of the numbers were given", () => {
    const numberCount = 2 ** 10;
    const agents = new AgentTable(2, numberCount);
    const seen: number[] = [];
    for (let at = 0; at < 5_000; at++) {
      const number = agents.numberFor(free(`n${at}`));
      expect(number).toBeLessThan(numberCount);
      const before = seen.lastIndexOf(number);
      if (before >= 0) expect(at - before).toBeGreaterThanOrEqual(numberCount / 4 - 1);
      seen.push(number);
      agents.join(number);
      agents.leave(number);
    }
  });
});

describe("AgentTable.reserveAnew()", () => {
  const reserved = (...all: string[]) => all.map((name) => ({ name, bindsOwner: true }));

  test("keeps the number and the members of a name that is known, whoever made it up", () => {
    const agents = new AgentTable();
    const number = agents.numberFor(free("worker"));
    agents.join(number);
    agents.reserveAnew(reserved("worker", "api"));
    expect(agents.reservedNumber("worker")).toBe(number);
    expect([agents.membersOf(number), agents.isFree(number)]).toEqual([1, false]);
    expect(agents.nameOf(agents.numberFor(bound("worker")))).toBe("worker");
    expect(agents.nameOf(agents.numberFor(free("worker")))).toBe("user1000:worker");
  });

  test("gives a name that is in no rule any more to who comes first, and its place when it is needed", () => {
    const agents = new AgentTable(4);
    agents.reserve(reserved("a", "b", "c", "d"));
    agents.reserveAnew(reserved("a"));
    expect(names(agents, [free("b", 7)])).toEqual(["b"]);
    expect(names(agents, [bound("e"), bound("f")])).toEqual(["e", "f"]);
    expect(agents.nameOf(agents.numberFor(bound("g")))).toBe("other");
    expect(agents.reservedNumber("a")).toBeGreaterThan(0);
  });

  test("has no places where others have members, and changes nothing then", () => {
    const agents = new AgentTable(4);
    names(agents, [bound("a"), bound("b"), bound("c")]);
    expect(agents.canReserve(reserved("x", "y"))).toBe(false);
    expect(agents.canReserve(reserved("a", "y"))).toBe(true);
    expect(() => agents.reserveAnew(reserved("x", "y"))).toThrow("each reserved name has a place");
    expect(agents.nameCount).toBe(3);
  });

  test("takes the place of a name without members, also of one of the new names", () => {
    const agents = new AgentTable(2);
    names(agents, [bound("a")]);
    const left = agents.numberFor(bound("b"));
    agents.reserveAnew(reserved("a", "z"));
    expect(agents.nameOf(left)).toBe("");
    expect(agents.nameOf(agents.reservedNumber("z"))).toBe("z");
    agents.reserveAnew(reserved("a", "b"));
    expect(agents.nameOf(agents.reservedNumber("b"))).toBe("b");
  });
});
