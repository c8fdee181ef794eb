// When the queue of a socket counts as full: as many datagrams as it holds were taken without
// seeing it empty.
import { expect, test } from "bun:test";
import { QueueFill } from "../../src/listener/queue_fill.ts";

test.each([
  [11, [11], 1],
  [11, [10, 1, 10], 0],
  [11, [64, 64, 3], 2],
  [513, [64, 64, 64, 64, 64, 64, 64, 64, 1], 1],
  [513, [64, 64, 64, 64, 64, 64, 64, 64, 0], 0],
  [513, [64, 64, 64, 64, 10, 64, 64, 64, 64], 0],
  [undefined, [64, 64, 64], 0],
])("a queue of %p from which %p were taken was full %d times", (length, counts, full) => {
  const fill = new QueueFill(length);
  for (const count of counts) fill.took(count);
  expect(fill.full).toBe(full);
});
