import { expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { PauseCause } from "../../src/daemon/pause_cause.ts";

const PAUSE = { endNs: 20 * NS_PER_S, ns: 2 * NS_PER_S };

test.each([
  [17, undefined],
  [18, "the daemon was stopped"],
  [20, "the daemon was stopped"],
  [21, "the daemon was stopped"],
  [22, undefined],
])(
  "a daemon that goes on at %i s was stopped if its pause was from 18 to 20 s",
  (second, cause) => {
    const pauses = new PauseCause(() => second * NS_PER_S);
    expect(pauses.of(PAUSE)).toBeUndefined();
    pauses.continued();
    expect(pauses.of(PAUSE)).toBe(cause);
  },
);
