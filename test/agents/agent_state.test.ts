// The words for states, as the specification has them.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AGENT_STATES } from "../../src/agents/agent_state.ts";

const PAGE = join(import.meta.dir, "../../docs/spec/15-policies.md");

test("the states of an agent are those of the specification, the worst first", () => {
  const section = readFileSync(PAGE, "utf8")
    .split("\n## ")
    .find((part) => part.startsWith("6. States"))!;
  const states = [...section.matchAll(/^\| (?!state )([a-z]+) \|/gm)].map(([, state]) => state!);
  expect(states).toEqual([...AGENT_STATES]);
});
