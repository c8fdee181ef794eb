import { describe, expect, test } from "bun:test";
import { DESCRIPTORS_RESERVED_MAX, HTTP_CONNECTIONS_MAX } from "../../src/base/limits.ts";
import { connectionRoom } from "../../src/http/descriptor_reserve.ts";

describe("connectionRoom()", () => {
  test.each([
    // limit, lowest free number, connections, first number that they may not have
    [1_048_576, 12, HTTP_CONNECTIONS_MAX, 1_048_576 - DESCRIPTORS_RESERVED_MAX],
    [1_024, 12, HTTP_CONNECTIONS_MAX, 1_024 - 506],
    [256, 12, 122, 134],
    [20, 12, 4, 16],
    [13, 12, 1, 13],
    [12, 12, 1, 13],
  ])(
    "of %d descriptors, from %d on, connections have %d, all below %d",
    (limit, free, max, end) => {
      expect(connectionRoom(free, limit)).toEqual({ connectionsMax: max, fdEnd: end });
    },
  );

  test("a system without a limit has room for all", () => {
    expect(connectionRoom(12, 2 ** 64).connectionsMax).toBe(HTTP_CONNECTIONS_MAX);
    expect(connectionRoom(12, Number.POSITIVE_INFINITY).connectionsMax).toBe(HTTP_CONNECTIONS_MAX);
  });
});
