// How long honest beats wait while another listener of the same daemon is flooded, flood by flood,
// with the default limits. What is judged is the daemon, not its competitors for two cores:
// what the beats waited is held against it where it had a core when it wanted one.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { endLeftovers } from "../../support/daemon_process.ts";
import {
  CAN_FLOOD,
  FLOODS,
  floodFleet,
  isPunctual,
  NEEDS_FLOOD,
  quantile,
} from "../../support/flooded_fleet.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";

const FLOOD_MS = 10_000;
/** Beside a second Unix listener, whose datagrams cost the least. */
const DELAY_MS_P99_MAX = 20;
/** Beside a network listener, each of whose datagrams may cost nine attempts to open it. */
const DELAY_MS_P99_MAX_NETWORK = 100;
/** A pause of the machine for longer makes more than one beat of a hundred late. */
const PAUSE_MS_MAX = FLOOD_MS / 100;

setDefaultTimeout(120_000);
afterAll(endLeftovers);

describe.skipIf(!CAN_FLOOD)(`100 agents at 10 Hz beside a flood${NEEDS_FLOOD}`, () => {
  test.each(FLOODS)("of $name", (kind) =>
    unlessMachinePauses(PAUSE_MS_MAX, async () => {
      const result = await floodFleet([kind], FLOOD_MS);
      const [p50, p99, most] = [0.5, 0.99, 1].map((part) => quantile(result.delaysMs, part));
      const perSecond = Math.round((result.flooded / FLOOD_MS) * 1_000);
      console.log(
        `${kind.name}: ${perSecond}/s sent, ${result.taken} taken; ${result.sent} honest beats, ` +
          `delay p50 ${p50!.toFixed(2)} p99 ${p99!.toFixed(2)} max ${most!.toFixed(2)} ms`,
      );
      expect(result.falseStalls).toBe(0);
      expect(result.accepted).toBe(result.sent);
      const msMax = kind.listener === "crowd" ? DELAY_MS_P99_MAX : DELAY_MS_P99_MAX_NETWORK;
      expect(isPunctual(result, msMax)).toBe(true);
    }),
  );
});
