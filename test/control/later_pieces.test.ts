import { describe, expect, test } from "bun:test";
import { laterPieces } from "../../src/control/later_pieces.ts";

describe("An answer that comes later", () => {
  test("has nothing until it is there, wakes its reader, and is sent once", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let wakes = 0;
    const pieces = laterPieces(promise, () => {
      wakes += 1;
    });
    expect(pieces.next()).toBeNull();
    resolve("answer\n");
    await promise;
    expect([wakes, pieces.next(), pieces.next()]).toEqual([1, "answer\n", undefined]);
  });

  test("wakes nobody after its reader has gone", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let wakes = 0;
    const pieces = laterPieces(promise, () => {
      wakes += 1;
    });
    pieces.end?.();
    resolve("answer\n");
    await promise;
    expect(wakes).toBe(0);
  });
});
