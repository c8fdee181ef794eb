import { describe, expect, test } from "bun:test";
import {
  ORIGIN_KERNEL_ATTESTED,
  ORIGIN_KEY_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_OPERATOR_ATTESTED,
  ORIGIN_SOCKET_MODE_ONLY,
  type Origin,
} from "../../src/base/origin.ts";
import { distrustReason, isUnidentified, stalenessReason } from "../../src/recovery/checks.ts";
import {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
  FRESH_UNVERIFIABLE_GENERATION,
  FRESH_WARRANTED,
} from "../../src/tracker/tracker.ts";
import { stallOf } from "./harness.ts";

test("stalenessReason() lets a stall pass unless the agent is back or its pid is another's", () => {
  const codes = [
    FRESH_WARRANTED,
    FRESH_UNVERIFIABLE_GENERATION,
    FRESH_AGENT_RESUMED,
    FRESH_PID_RECYCLED,
    FRESH_BEATS_REFUSED,
  ];
  expect(codes.map(stalenessReason)).toEqual([
    undefined,
    undefined,
    "skipped_agent_resumed",
    "skipped_pid_recycled",
    "beats_refused",
  ]);
});

describe("distrustReason()", () => {
  const OWN = 111;
  const OTHER = 222;
  const CROSS = "cross_namespace_agent";
  const NETWORK = "unauthenticated_transport";
  const SOCKET = "socket_mode_only";
  const ROWS: [Origin, number, number, boolean, string | undefined][] = [
    // origin, agent's inode, observer's inode, allow_cross_namespace, reason
    [ORIGIN_KERNEL_ATTESTED, OWN, OWN, false, undefined],
    [ORIGIN_KERNEL_ATTESTED, OTHER, OWN, false, CROSS],
    [ORIGIN_KERNEL_ATTESTED, NaN, OWN, false, CROSS],
    [ORIGIN_KERNEL_ATTESTED, 0, OWN, false, CROSS],
    [ORIGIN_KERNEL_ATTESTED, OWN, NaN, false, CROSS],
    [ORIGIN_KERNEL_ATTESTED, NaN, NaN, false, CROSS],
    [ORIGIN_KERNEL_ATTESTED, OTHER, OWN, true, undefined],
    [ORIGIN_KERNEL_ATTESTED, NaN, NaN, true, undefined],
    [ORIGIN_OPERATOR_ATTESTED, NaN, OWN, false, undefined],
    [ORIGIN_OPERATOR_ATTESTED, NaN, NaN, true, undefined],
    [ORIGIN_SOCKET_MODE_ONLY, OWN, OWN, false, SOCKET],
    [ORIGIN_SOCKET_MODE_ONLY, OWN, OWN, true, SOCKET],
    [ORIGIN_NETWORK_UNVERIFIED, NaN, OWN, false, NETWORK],
    [ORIGIN_NETWORK_UNVERIFIED, OWN, OWN, true, NETWORK],
    [ORIGIN_KEY_ATTESTED, NaN, OWN, false, NETWORK],
    [ORIGIN_KEY_ATTESTED, NaN, OWN, true, NETWORK],
  ];
  for (const [origin, namespaceInode, own, allow, reason] of ROWS) {
    const agent = `origin ${origin} in namespace ${namespaceInode}`;
    const here = `observer in ${own}, crossing ${allow ? "allowed" : "not allowed"}`;
    test(`${agent}, ${here}: ${reason ?? "passes"}`, () => {
      const found = distrustReason(stallOf({ origin, namespaceInode }), own, allow);
      expect<string | undefined>(found).toBe(reason);
    });
  }
});

describe("distrustReason() of a sender that was let in by its number in a container", () => {
  test.each([222, 0, NaN])("passes it in namespace %p, if it is proven", (namespaceInode) => {
    const contained = { innerPid: 7, namespaceInode };
    expect(distrustReason(stallOf(contained), 111, false)).toBeUndefined();
    const unproven = stallOf({ ...contained, proven: false });
    expect(distrustReason(unproven, 111, false)).toBe("unproven_sender");
  });
});

describe("distrustReason() of a sender that is not proven", () => {
  const OWN = 111;
  test.each([
    [
      "refuses it where the kernel names the sender",
      ORIGIN_KERNEL_ATTESTED,
      OWN,
      "unproven_sender",
    ],
    ["says first that it is foreign", ORIGIN_KERNEL_ATTESTED, 222, "cross_namespace_agent"],
    ["leaves other origins to their own rules", ORIGIN_OPERATOR_ATTESTED, NaN, undefined],
  ] as const)("%s", (_what, origin, namespaceInode, reason) => {
    const stall = stallOf({ origin, namespaceInode, proven: false });
    expect<string | undefined>(distrustReason(stall, OWN, false)).toBe(reason);
  });

  test("is one whose start time is not known, whatever else is said of it", () => {
    expect(distrustReason(stallOf({ namespaceInode: OWN, generation: NaN }), OWN, false)).toBe(
      "unproven_sender",
    );
  });

  test("comes before a namespace that is only unknown", () => {
    const unknown = stallOf({ namespaceInode: NaN, proven: false });
    expect(distrustReason(unknown, OWN, false)).toBe("unproven_sender");
  });

  test("refuses it where foreign namespaces are let in, too", () => {
    expect(distrustReason(stallOf({ namespaceInode: 222, proven: false }), OWN, true)).toBe(
      "unproven_sender",
    );
  });
});

test("isUnidentified() leaves a namespace that is known to be foreign, and other origins, to their own rules", () => {
  expect(isUnidentified(stallOf({ proven: false }), "unproven_sender")).toBe(true);
  expect(isUnidentified(stallOf({ namespaceInode: NaN }), "cross_namespace_agent")).toBe(true);
  expect(isUnidentified(stallOf({ namespaceInode: 0 }), "cross_namespace_agent")).toBe(false);
  expect(isUnidentified(stallOf({ namespaceInode: NaN }), "socket_mode_only")).toBe(false);
});
