// Where a server is, and the words for a place that cannot be bound.
import { expect, test } from "bun:test";
import type { Config } from "../../src/config/config.ts";
import { controlDoor, metricsHint } from "../../src/daemon/server_doors.ts";

test("metricsHint() cures what is wrong, and not the address where that is right", () => {
  expect(metricsHint("EMFILE")).toContain("ulimit -n");
  expect(metricsHint("EACCES")).toContain("CAP_NET_BIND_SERVICE");
  expect(metricsHint("EADDRINUSE")).toContain("ss -ltnp");
  expect(metricsHint("EADDRNOTAVAIL")).toContain("an address of this machine");
});

test("controlDoor() is beside the first Unix listener, of whatever kind, and nowhere without one", () => {
  const doorOf = (...listeners: object[]) =>
    controlDoor({ control: {}, listeners } as unknown as Config)?.path;
  const stream = { kind: "unix-stream", path: "/run/streams/stream.sock" };
  const unix = { kind: "unix", path: "/run/varta/varta.sock" };
  expect(doorOf(stream)).toBe("/run/streams/control.sock");
  expect(doorOf(stream, unix)).toBe("/run/varta/control.sock");
  expect(doorOf({ kind: "udp", address: "127.0.0.1", port: 1 })).toBeUndefined();
});
