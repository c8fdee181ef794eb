// The heap against a list that is searched.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { DeadlineHeap, type HeapMember } from "../../src/tables/deadline_heap.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

interface Named extends HeapMember {
  readonly name: number;
}

type Operation = {
  readonly kind: "set" | "remove" | "take";
  readonly name: number;
  readonly ns: number;
};

const operations = fc.array(
  fc.record<Operation>({
    kind: fc.constantFrom("set", "set", "remove", "take"),
    name: fc.nat(15),
    ns: fc.oneof(fc.nat(20), fc.constant(Number.POSITIVE_INFINITY)),
  }),
  { maxLength: 200 },
);

describe("DeadlineHeap", () => {
  test("always has the earliest deadline of those that are in it at its head", () => {
    fc.assert(
      fc.property(operations, (script) => {
        const heap = new DeadlineHeap<Named>();
        const members = Array.from({ length: 16 }, (_, name): Named => {
          return { name, deadlineNs: NaN, heapIndex: -1, heapOrder: 0 };
        });
        const listed = new Map<number, number>();
        for (const { kind, name, ns } of script) {
          const member = kind === "take" ? heap.head : members[name]!;
          if (kind === "set") {
            heap.set(members[name]!, ns);
            listed.set(name, ns);
          } else if (member !== undefined) {
            heap.remove(member);
            listed.delete(member.name);
          }
          expect(heap.count).toBe(listed.size);
          expect(heap.head?.deadlineNs ?? -1).toBe(
            listed.size === 0 ? -1 : Math.min(...listed.values()),
          );
        }
        const rest: number[] = [];
        for (let head = heap.head; head !== undefined; head = heap.head) {
          rest.push(head.deadlineNs);
          heap.remove(head);
          expect(head.heapIndex).toBe(-1);
        }
        expect(rest).toEqual([...listed.values()].toSorted((a, b) => a - b));
      }),
      { numRuns: 300 },
    );
  });

  test("gives those with the same deadline in the order in which they were put in", () => {
    const heap = new DeadlineHeap<Named>();
    for (let name = 0; name < 50; name++)
      heap.set({ name, deadlineNs: NaN, heapIndex: -1, heapOrder: 0 }, name % 2);
    const names: number[] = [];
    for (let head = heap.head; head !== undefined; head = heap.head) {
      names.push(head.name);
      heap.remove(head);
    }
    expect(names).toEqual(names.toSorted((a, b) => (a % 2) - (b % 2) || a - b));
  });
});
