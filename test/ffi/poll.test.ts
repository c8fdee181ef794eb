// Waiting for descriptors.
import { describe, expect, test } from "bun:test";
import { POLLIN, POLLNVAL } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import { connect } from "../../src/client/mod.ts";
import { BoundReceiver } from "../client/bound_receiver.ts";

describe("PollSet", () => {
  test("reports which descriptor is ready, and that nothing is", () => {
    using quiet = new BoundReceiver();
    using busy = new BoundReceiver();
    const set = new PollSet(2);
    expect(set.add(quiet.fd, POLLIN)).toBe(0);
    expect(set.add(busy.fd, POLLIN)).toBe(1);
    expect(set.wait(0)).toBe(0);
    using client = connect(busy.path);
    client.beat();
    expect(set.wait(1_000)).toBe(1);
    expect(set.revents(0)).toBe(0);
    expect(set.revents(1)).toBe(POLLIN);
    busy.receive();
    expect(set.wait(0)).toBe(0);
    expect(set.revents(1)).toBe(0);
  });

  test("blocks for its timeout when nothing comes", () => {
    using quiet = new BoundReceiver();
    const set = new PollSet(1);
    set.add(quiet.fd, POLLIN);
    const before = performance.now();
    expect(set.wait(20)).toBe(0);
    expect(performance.now() - before).toBeGreaterThan(19);
  });

  test("leaves out a descriptor that was replaced by -1, and waits for another one", () => {
    using first = new BoundReceiver();
    using second = new BoundReceiver();
    using client = connect(first.path);
    client.beat();
    const set = new PollSet(1);
    const index = set.add(first.fd, POLLIN);
    expect(set.wait(0)).toBe(1);
    set.replace(index, -1);
    expect(set.revents(index)).toBe(0);
    expect(set.wait(0)).toBe(0);
    using other = connect(second.path);
    other.beat();
    set.replace(index, second.fd);
    expect(set.wait(0)).toBe(1);
  });

  test("says POLLNVAL for a descriptor that is not open", () => {
    const set = new PollSet(1);
    set.add(65_000, POLLIN);
    expect(set.wait(0)).toBe(1);
    expect(set.revents(0)).toBe(POLLNVAL);
  });

  test("takes no more descriptors than it was made for", () => {
    const set = new PollSet(1);
    set.add(-1, POLLIN);
    expect(() => set.add(-1, POLLIN)).toThrow("the poll set is sized for all descriptors");
    expect(() => set.replace(1, 0)).toThrow("the index was given by add()");
    expect(() => new PollSet(0)).toThrow("room for one descriptor");
  });
});
