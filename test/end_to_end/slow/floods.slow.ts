// A flood on one listener is no silence on another: the beats of honest agents are received in
// time, none is shed, no agent is reported silent (spec 04 sections 3 and 7, spec 06 I3). The slow
// twin measures each flood for itself.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { endLeftovers } from "../../support/daemon_process.ts";
import {
  CAN_FLOOD,
  FLOODS,
  floodFleet,
  isPunctual,
  NEEDS_FLOOD,
  OWN_SOCKET_FLOOD,
} from "../../support/flooded_fleet.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** Wide, for a machine that runs other tests besides; the slow test asks for less. */
const DELAY_MS_P99_MAX = 200;

describe.skipIf(!CAN_FLOOD)(`while other listeners are flooded${NEEDS_FLOOD}`, () => {
  test("100 agents at 10 Hz lose no beat and none of them is called silent", () =>
    unlessMachinePauses(DELAY_MS_P99_MAX, async () => {
      const kinds = FLOODS.filter(({ content }) => content === "random");
      // Half as much again as the honest agents need: the flood itself has to leave them their
      // part.
      const limits = ["--global-beat-rate", "1500", "--global-beat-burst", "1500"];
      const result = await floodFleet(kinds, 250, limits);
      expect(result.flooded).toBeGreaterThan(10_000);
      expect(result.falseStalls).toBe(0);
      expect(result.accepted).toBe(result.sent);
      expect(result.sent).toBeGreaterThan(500);
      expect(isPunctual(result, DELAY_MS_P99_MAX)).toBe(true);
    }));
});

describe.skipIf(!CAN_FLOOD)(`while their own socket is flooded with rubbish${NEEDS_FLOOD}`, () => {
  test("the kernel keeps it out, and none of 100 agents at 10 Hz is called silent", () =>
    unlessMachinePauses(DELAY_MS_P99_MAX, async () => {
      const result = await floodFleet([OWN_SOCKET_FLOOD], 1_500);
      expect(result.flooded).toBeGreaterThan(100_000);
      expect(result.rubbishTaken).toBeLessThan(result.flooded / 4);
      const dropped = result.flooded - result.rubbishTaken;
      expect(result.filteredEstimate / dropped).toBeGreaterThan(0.5);
      expect(result.filteredEstimate / dropped).toBeLessThan(2);
      expect(result.falseStalls).toBe(0);
      expect(result.accepted).toBe(result.sent);
    }));
});
