import { expect, test } from "bun:test";
import { DOCTOR } from "../../../src/control/requests/doctor.ts";
import { UnixListener } from "../../../src/listener/unix.ts";
import type { Observer } from "../../../src/observer/observer.ts";
import { readQueueLength } from "../../../src/sockets/queue_length.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { viewOf } from "../../support/views.ts";
import { ObserverHarness } from "../../observer/harness.ts";
import { sourcesWith } from "../sources.ts";
import { madeBy } from "./answers.ts";

test("the request doctor has the queue of each Unix listener in force", () => {
  using directory = new TemporaryDirectory();
  const path = directory.at("varta.sock");
  const options = { name: "local", path, mode: 0o600, gid: undefined, rcvbufBytes: 0 };
  const local = new UnixListener({ ...options, allowList: undefined });
  const { observer } = new ObserverHarness({ trackerCapacity: 8 });
  const seen = Object.create(observer, {
    listeners: { value: [...observer.listeners, local] },
    listenersInForce: { value: [0, observer.listeners.length] },
  }) as Observer;
  const { text } = madeBy(DOCTOR, {}, sourcesWith({ view: viewOf(seen) }));
  local.close();
  expect(JSON.parse(text)).toEqual({
    v: 1,
    queues: [{ listener: "local", path, holds: readQueueLength() ?? null, full: 0 }],
    paused_in_minute_ms: 0,
    rules: { count: 0, idle: [], idle_count: 0, without: [], without_count: 0 },
    state: null,
  });
  expect(DOCTOR.right).toBe("read");
});
