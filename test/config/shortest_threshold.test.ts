import { expect, test } from "bun:test";
import { shortestThresholdNs } from "../../src/config/shortest_threshold.ts";
import { FixtureHost } from "./fixture_host.ts";

test("shortestThresholdNs() is that of the observer or of a rule", async () => {
  const of = async (text: string) => {
    using fixture = new FixtureHost();
    const result = await fixture.load(`[observer]\nthreshold = "3s"\n${text}`);
    if (!result.ok) throw new Error(result.text);
    return shortestThresholdNs(result.config);
  };
  expect(await of("")).toBe(3e9);
  const rule = (threshold: string) => `[[agent]]\nmatch = { user = "${threshold}" }\n`;
  expect(await of(rule("a"))).toBe(3e9);
  expect(await of(`${rule("a")}threshold = "10s"\n${rule("b")}threshold = "200ms"\n`)).toBe(0.2e9);
});
