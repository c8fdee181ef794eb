// The words for a place of a server that cannot be bound.
import { expect, test } from "bun:test";
import { metricsHint } from "../../src/daemon/server_doors.ts";

test("metricsHint() cures what is wrong, and not the address where that is right", () => {
  expect(metricsHint("EMFILE")).toContain("ulimit -n");
  expect(metricsHint("EACCES")).toContain("CAP_NET_BIND_SERVICE");
  expect(metricsHint("EADDRINUSE")).toContain("ss -ltnp");
  expect(metricsHint("EADDRNOTAVAIL")).toContain("an address of this machine");
});
