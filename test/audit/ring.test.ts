import { describe, expect, test } from "bun:test";
import { AUDIT } from "../../src/audit/counters.ts";
import { AuditRing, type WatermarkLevel } from "../../src/audit/ring.ts";
import { Counters } from "../../src/base/counters.ts";
import { AUDIT_RING_BYTES_MAX, AUDIT_RING_LINES } from "../../src/base/limits.ts";
import { counted } from "../support/since.ts";

function ringWithEdges() {
  const edges: [WatermarkLevel, number][] = [];
  const counters = new Counters(AUDIT, { head: { seq: 0 } });
  const ring = new AuditRing(counters, (level, lineCount) => edges.push([level, lineCount]));
  return { edges, counters, ring };
}

function push(ring: AuditRing, count: number): void {
  for (let i = 0; i < count; i++) ring.push("refused", `${i}`);
}

describe("AuditRing", () => {
  test("gives lines in the order they came, also around its end", () => {
    const { ring } = ringWithEdges();
    push(ring, 200);
    ring.consume(200);
    push(ring, 200);
    const fields = Array.from({ length: 200 }, (_, offset) => ring.at(offset).fields);
    expect(fields).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
  });

  test("puts lines before those that wait, and counts the youngest that do not fit", () => {
    const { ring, counters } = ringWithEdges();
    push(ring, AUDIT_RING_LINES + 1);
    const first = { kind: "refused", fields: "first", lostCount: 3 };
    ring.putFirst([first]);
    expect(ring.count).toBe(AUDIT_RING_LINES);
    expect([ring.at(0), ring.at(1).fields]).toEqual([first, "0"]);
    expect(counted(counters, AUDIT.dropped)).toBe(2);
    ring.consume(1);
    ring.push("refused", "next");
    expect(ring.at(AUDIT_RING_LINES - 1).lostCount).toBe(2);
  });

  test("holds 256 lines, drops the rest, and the next line says how many were lost", () => {
    const { ring, counters } = ringWithEdges();
    push(ring, 300);
    expect(ring.count).toBe(AUDIT_RING_LINES);
    expect(counted(counters, AUDIT.dropped)).toBe(44);
    expect(counted(counters, AUDIT.dropped)).toBe(0);
    ring.consume(1);
    ring.push("refused", "after");
    expect(ring.at(255)).toEqual({ kind: "refused", fields: "after", lostCount: 44 });
    ring.consume(1);
    ring.push("refused", "next");
    expect(ring.at(255).lostCount).toBe(0);
  });

  test("drops what would take more memory than it may", () => {
    const { ring, counters } = ringWithEdges();
    const large = "x".repeat(AUDIT_RING_BYTES_MAX / 4);
    for (let i = 0; i < 5; i++) ring.push("complete", large);
    expect(ring.count).toBe(4);
    expect(counted(counters, AUDIT.dropped)).toBe(1);
    ring.consume(1);
    ring.push("complete", large);
    expect(ring.count).toBe(4);
  });

  test("counts an edge at 192 and at 243 lines, and again only after the fill was below", () => {
    const { ring, edges, counters } = ringWithEdges();
    push(ring, 191);
    expect(edges).toEqual([]);
    push(ring, 52);
    expect(edges).toEqual([
      ["warn", 192],
      ["critical", 243],
    ]);
    push(ring, 100);
    ring.consume(14);
    push(ring, 14);
    expect(edges.length).toBe(3);
    expect(edges[2]).toEqual(["critical", 243]);
    expect([
      counted(counters, AUDIT.ringWatermark.warn),
      counted(counters, AUDIT.ringWatermark.critical),
    ]).toEqual([1, 2]);
    ring.consume(65);
    push(ring, 1);
    expect([
      counted(counters, AUDIT.ringWatermark.warn),
      counted(counters, AUDIT.ringWatermark.critical),
    ]).toEqual([1, 0]);
  });
});
