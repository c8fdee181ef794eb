import { describe, expect, test } from "bun:test";
import { descentFault } from "../../src/processes/descent.ts";

const OWN = 4_026_531_836;

interface Stated {
  readonly parent: number;
  readonly started?: number;
  readonly uid?: number;
  readonly inode?: number;
  readonly isZombie?: boolean;
}

function faultOf(processes: Readonly<Record<number, Stated>>, asker: number, pid: number) {
  const reader = {
    startTime: (one: number) => (one in processes ? (processes[one]!.started ?? 5) : Number.NaN),
    isAlive: (one: number) => one in processes && processes[one]!.isZombie !== true,
    parentPid: (one: number) => processes[one]?.parent ?? Number.NaN,
    realUid: (one: number) => processes[one]?.uid ?? 1000,
    namespaceInode: (one: number) => processes[one]?.inode ?? OWN,
  };
  return descentFault(reader, { asker, askerUid: 1000, pid, observerInode: OWN });
}

describe("descentFault()", () => {
  test("lets a process speak for itself and for those it descends from", () => {
    const family = { 10: { parent: 1 }, 11: { parent: 10 }, 12: { parent: 11 } };
    for (const pid of [10, 11, 12]) expect(faultOf(family, 12, pid)).toBeUndefined();
  });

  test("refuses a parent for its child, a brother, and what is in no relation", () => {
    const family = {
      10: { parent: 1 },
      11: { parent: 10 },
      12: { parent: 10 },
      20: { parent: 1 },
    };
    expect(faultOf(family, 10, 11)).toBe("no_descendant");
    expect(faultOf(family, 11, 12)).toBe("no_descendant");
    expect(faultOf(family, 11, 20)).toBe("no_descendant");
    expect(faultOf(family, 11, 99)).toBe("no_such_process");
  });

  test("refuses where one of the two has ended", () => {
    const dead = { parent: 10, isZombie: true };
    expect(faultOf({ 10: { parent: 1 }, 11: dead }, 11, 10)).toBe("asker_gone");
    expect(faultOf({ 10: { parent: 1 } }, 11, 10)).toBe("asker_gone");
    expect(faultOf({ 10: { parent: 1, isZombie: true }, 11: { parent: 10 } }, 11, 10)).toBe(
      "no_such_process",
    );
  });

  test("refuses a process of another user, or in another pid namespace than the daemon", () => {
    expect(faultOf({ 10: { parent: 1, uid: 0 }, 11: { parent: 10 } }, 11, 10)).toBe("other_user");
    for (const inode of [7, 0, Number.NaN]) {
      const inside = { parent: 10, inode };
      expect(faultOf({ 10: { parent: 1 }, 11: inside }, 11, 10)).toBe("other_namespace");
    }
  });

  test("takes no parent for one that began after its child: its pid was passed on", () => {
    const family = { 10: { parent: 1, started: 9 }, 11: { parent: 10, started: 5 } };
    expect(faultOf(family, 11, 10)).toBe("no_descendant");
  });

  test("goes up 64 parents and no further", () => {
    const chain: Record<number, Stated> = {};
    for (let pid = 100; pid < 200; pid++) chain[pid] = { parent: pid - 1 };
    expect(faultOf(chain, 163, 100)).toBeUndefined();
    expect(faultOf(chain, 164, 100)).toBe("no_descendant");
  });
});
