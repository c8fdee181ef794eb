// kill -9 of a daemon at random moments while agents come, go and freeze: nobody who died or fell
// silent is lost but those of the last two seconds, nobody healthy is called silent, and no
// recovery runs twice. VARTA_STATE_KILLS sets how often (200 takes about seven minutes).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { endLeftovers } from "../../support/daemon_process.ts";
import { StateChurn } from "../../support/state_churn.ts";
import { verdictOf } from "../../support/state_verdict.ts";

const KILLS = Number(process.env["VARTA_STATE_KILLS"] ?? 10);
const SEED = 0x57a7e;

setDefaultTimeout(1_800_000);
afterAll(endLeftovers);

describe.skipIf(crewProgram === undefined)(`a daemon that keeps its state${NEEDS_CREW}`, () => {
  test(`forgets, repeats and invents nothing, killed ${KILLS} times`, async () => {
    await using churn = new StateChurn(SEED);
    const { counts, faults } = verdictOf(await churn.run(KILLS));
    for (const [what, count] of Object.entries(counts)) console.log(what.padEnd(14), count);
    expect(faults).toEqual([]);
    expect(counts["deaths"]).toBeGreaterThan(KILLS);
    expect(counts["recoveries"]).toBeGreaterThan(KILLS);
  });
});
