// Until when a connection of a stream listener may stay (spec 05 section 10.2).
import { describe, expect, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import {
  CLOSE_LATE_FRAME,
  CLOSE_PROCESS_ENDED,
  CLOSE_SILENCE,
} from "../../src/listener/stream_close.ts";
import { StreamConnections } from "../../src/listener/stream_connections.ts";

const DAY = 24 * 3_600 * NS_PER_S;

function opened(nowNs = 0) {
  const connections = new StreamConnections(4);
  const row = connections.open({ fd: 10, pidfd: 11, pid: 100, uid: 7 }, nowNs);
  const closedAt = (ns: number, nothingWaits = true): number => {
    let found = -1;
    connections.sweep(ns, nothingWaits, (_, reason) => {
      found = reason;
    });
    return found;
  };
  return { connections, row, closedAt };
}

describe("StreamConnections", () => {
  test("a connection has five seconds for its first frame, however many parts come", () => {
    const { connections, row, closedAt } = opened();
    connections.heardPart(row, 4 * NS_PER_S);
    expect(closedAt(5 * NS_PER_S - 1)).toBe(-1);
    expect(closedAt(5 * NS_PER_S)).toBe(CLOSE_LATE_FRAME);
  });

  test("half a later frame has five seconds from its first part", () => {
    const { connections, row, closedAt } = opened();
    connections.heard(row, NS_PER_S);
    connections.heardPart(row, 60 * NS_PER_S);
    connections.heardPart(row, 64 * NS_PER_S);
    expect(closedAt(65 * NS_PER_S - 1)).toBe(-1);
    expect(closedAt(65 * NS_PER_S)).toBe(CLOSE_LATE_FRAME);
  });

  test("a frame that became whole in time ends the wait", () => {
    const { connections, row, closedAt } = opened();
    connections.heard(row, NS_PER_S);
    connections.heardPart(row, 60 * NS_PER_S);
    connections.heard(row, 64 * NS_PER_S);
    expect(closedAt(70 * NS_PER_S)).toBe(-1);
  });

  test("after 24 hours of silence it is closed", () => {
    const { connections, row, closedAt } = opened();
    connections.heard(row, NS_PER_S);
    expect(closedAt(NS_PER_S + DAY - 1)).toBe(-1);
    expect(connections.nextDueNs).toBe(NS_PER_S + DAY);
    expect(closedAt(NS_PER_S + DAY)).toBe(CLOSE_SILENCE);
  });

  test("the connection of a process that has ended is closed as soon as nothing waits", () => {
    const { connections, row, closedAt } = opened();
    connections.heard(row, NS_PER_S);
    connections.ended(row, 2 * NS_PER_S);
    expect(closedAt(2 * NS_PER_S, false)).toBe(-1);
    expect(closedAt(2 * NS_PER_S)).toBe(CLOSE_PROCESS_ENDED);
  });

  test("bytes that wait put that off by a second at most", () => {
    const { connections, row, closedAt } = opened();
    connections.ended(row, 2 * NS_PER_S);
    expect(closedAt(2 * NS_PER_S, false)).toBe(-1);
    expect(closedAt(3 * NS_PER_S - 1, false)).toBe(-1);
    expect(closedAt(3 * NS_PER_S, false)).toBe(CLOSE_PROCESS_ENDED);
  });

  test("and by a second of reading, where nobody read for long", () => {
    const { connections, row, closedAt } = opened();
    connections.ended(row, 2 * NS_PER_S);
    expect(closedAt(60 * NS_PER_S, false)).toBe(-1);
    expect(closedAt(61 * NS_PER_S, false)).toBe(CLOSE_PROCESS_ENDED);
  });

  test("the next moment that something is due is known, and a row is used again", () => {
    const { connections, row } = opened(NS_PER_S);
    expect(connections.nextDueNs).toBe(6 * NS_PER_S);
    connections.close(row);
    expect(connections.count).toBe(0);
    const next = connections.open({ fd: 12, pidfd: -1, pid: 101, uid: 7 }, 3 * NS_PER_S);
    expect([next, connections.count, connections.pid[next]]).toEqual([row, 1, 101]);
  });
});
