import { describe, expect, test } from "bun:test";
import { NAMES } from "../../../src/control/requests/names.ts";
import { ObserverHarness } from "../../observer/harness.ts";
import { joinMembers } from "../../support/named_members.ts";
import { viewOf } from "../../support/views.ts";
import { sourcesWith } from "../sources.ts";
import { madeBy } from "./answers.ts";

function watching(count: number, nameOf: (pid: number) => string) {
  const harness = new ObserverHarness({ trackerCapacity: 300 });
  const sources = sourcesWith({ view: viewOf(harness.observer) });
  joinMembers(
    harness,
    Array.from({ length: count }, (_, at) => 100 + at),
    nameOf,
  );
  return (args: Readonly<Record<string, string>>) =>
    JSON.parse(madeBy(NAMES, args, sources).text) as { names: string[]; cut: boolean };
}

describe("the request names", () => {
  test("has each agent once, or those that begin so", () => {
    const ask = watching(9, (pid) => ["worker", "web", "api"][pid % 3]!);
    expect(ask({}).names.sort()).toEqual(["api", "web", "worker"]);
    expect(ask({ prefix: "w" }).names.sort()).toEqual(["web", "worker"]);
    expect(ask({ prefix: "worker-" })).toEqual({ v: 1, names: [], cut: false } as never);
  });

  test("is cut at 256", () => {
    for (const count of [256, 257]) {
      const { names, cut } = watching(count, (pid) => `a${pid}`)({});
      expect(names).toHaveLength(256);
      expect(cut).toBe(count > 256);
    }
  });
});
