// Makes the recordings of test/fixtures/alerts anew: all of them, or those that are named.
//
//     npx bun test/packaging/recording/record.ts [NAME...]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RECORDINGS, familiesOfRules } from "./recordings.ts";
import { Recorder } from "./recorder.ts";
import { play, SCENARIOS } from "./scenarios.ts";

const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(SCENARIOS);

async function record(name: string): Promise<void> {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`no scenario "${name}"`);
  const recorder = new Recorder(familiesOfRules());
  await play(scenario, recorder);
  const recording = recorder.recording(`npx bun test/packaging/recording/record.ts ${name}`);
  writeFileSync(join(RECORDINGS, `${name}.json`), `${JSON.stringify(recording, null, 2)}\n`);
}

mkdirSync(RECORDINGS, { recursive: true });
const results = await Promise.allSettled(names.map(record));
for (const result of results) {
  if (result.status === "rejected") throw result.reason;
}
