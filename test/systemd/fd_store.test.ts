// What the store says to a service manager; that the descriptor comes with it is seen in
// test/end_to_end/slow/kept_sockets.slow.ts.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { IS_LINUX } from "../../ffi/constants.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { FdStore } from "../../src/systemd/fd_store.ts";
import { ServiceManager } from "../daemon/service_manager.ts";

const STDERR = 2;
const NAME = "varta-beat-q10-d1-i2-m600";
const OTHER = "varta-beat-q10-d1-i3-m600";

let manager: ServiceManager;
let store: FdStore;

beforeEach(() => {
  manager = new ServiceManager();
  store = FdStore.open({ NOTIFY_SOCKET: manager.name })!;
});

afterEach(() => {
  store.close();
  manager[Symbol.dispose]();
});

describe("FdStore.open()", () => {
  test("is undefined where no service manager can be reached", () => {
    expect(FdStore.open({})).toBeUndefined();
    expect(FdStore.open({ NOTIFY_SOCKET: "notify" })).toBeUndefined();
    expect(FdStore.open({ NOTIFY_SOCKET: `${manager.name}.gone` })).toBeUndefined();
  });
});

describe.skipIf(!IS_LINUX)("FdStore (SCM_RIGHTS to systemd)", () => {
  test("puts a descriptor in, and takes it out by its name", () => {
    store.add(NAME, STDERR);
    expect(store.has(NAME)).toBe(true);
    store.remove(NAME);
    expect(manager.read()).toEqual([
      `FDSTORE=1\nFDNAME=${NAME}\n`,
      `FDSTOREREMOVE=1\nFDNAME=${NAME}\n`,
    ]);
    expect(store.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("keeps the order while the queue of the service manager is full, and tries again", () => {
    manager.fillQueue();
    store.remove(OTHER);
    store.add(NAME, STDERR);
    expect(store.has(NAME)).toBe(false);
    store.maintain(0);
    expect(store.nextDeadlineNs()).toBe(50 * NS_PER_MS);
    manager.read();
    store.maintain(49 * NS_PER_MS);
    expect(manager.read()).toEqual([]);
    store.maintain(50 * NS_PER_MS);
    expect(manager.read()).toEqual([
      `FDSTOREREMOVE=1\nFDNAME=${OTHER}\n`,
      `FDSTORE=1\nFDNAME=${NAME}\n`,
    ]);
    expect(store.has(NAME)).toBe(true);
  });

  test("does not put in what is to be taken out before there was room for it", () => {
    manager.fillQueue();
    store.add(NAME, STDERR);
    store.remove(NAME);
    manager.read();
    store.flush();
    expect(manager.read()).toEqual([]);
  });

  test("gives up a descriptor that is no more", () => {
    store.add(NAME, 999_999);
    expect(store.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(manager.read()).toEqual([]);
  });
});
