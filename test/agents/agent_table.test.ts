import { describe, expect, test } from "bun:test";
import { AgentTable } from "../../src/agents/agent_table.ts";

describe("AgentTable", () => {
  test("gives each agent a small number of its own, and knows its key", () => {
    const agents = new AgentTable(3);
    const numbers = [700, 800, 900].map((key) => agents.take(key));
    expect(numbers).toEqual([0, 1, 2]);
    expect(numbers.map((number) => agents.keyOf(number))).toEqual([700, 800, 900]);
    expect(agents.count).toBe(3);
  });

  test("knows no agent under the number of an agent that is gone, also when its row has another", () => {
    const agents = new AgentTable(1);
    const seen: number[] = [];
    for (let key = 1; key <= 100; key++) {
      const number = agents.take(key);
      expect(agents.keyOf(number)).toBe(key);
      expect(seen.map((old) => agents.keyOf(old))).toEqual(seen.map(() => -1));
      agents.release(number);
      expect(agents.keyOf(number)).toBe(-1);
      seen.push(number);
    }
    expect(new Set(seen).size).toBe(100);
  });

  test.each([1, 2, 3, 7])(
    "of %d agents names no other by a number before half of the numbers were given",
    (capacity) => {
      const numberCount = 2 ** 10;
      const agents = new AgentTable(capacity, numberCount);
      const takenAt = new Map<number, number>();
      const take = (at: number) => {
        const number = agents.take(at);
        expect(number).toBeLessThan(numberCount);
        const before = takenAt.get(number);
        const rowCount = 2 * capacity;
        const least = Math.floor(numberCount / rowCount) * capacity;
        if (before !== undefined) expect(at - before).toBeGreaterThanOrEqual(least);
        takenAt.set(number, at);
        return number;
      };
      // The others stay, so that as few rows as can be are free.
      for (let at = 1; at < capacity; at++) take(at);
      for (let at = capacity; at < 5 * numberCount; at++) agents.release(take(at));
      expect(takenAt.size).toBeGreaterThan(numberCount / 3);
    },
  );

  test("has room for exactly its capacity", () => {
    const agents = new AgentTable(2);
    const first = agents.take(1);
    agents.take(2);
    expect(() => agents.take(3)).toThrow("there is a number for each slot");
    agents.release(first);
    expect(agents.keyOf(agents.take(3))).toBe(3);
    expect(() => agents.release(first)).toThrow("a number is given back once");
  });
});
