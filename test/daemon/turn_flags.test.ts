import { expect, test } from "bun:test";
import { BATCH_SIZE, PUMP_BUDGET_PER_TURN } from "../../src/base/limits.ts";
import * as flags from "../../src/daemon/turn_flags.ts";

const ALL = flags.TURN_FULL | flags.TURN_BUSY | flags.TURN_EXPORTED | flags.TURN_HAS_WORK_LEFT;

test.each([0, 1, PUMP_BUDGET_PER_TURN, PUMP_BUDGET_PER_TURN + BATCH_SIZE])(
  "a turn says that it took %p datagrams, whatever else it says",
  (count) => {
    const turn = ALL | flags.countedDatagrams(count);
    expect(flags.datagramsOf(turn)).toBe(count);
    expect(turn & ALL).toBe(ALL);
    expect(flags.countedDatagrams(count) & ALL).toBe(0);
  },
);
