// The same library as the package "varta-watch-client" (clients/javascript), for Node, Deno and
// Bun. Outside Bun there are no Unix datagrams: a path leads to a unix-stream listener; under Bun
// to whichever listener is there.
import { type Connectors, connectors } from "./connectors.ts";
import { nodePlatform } from "./node_platform.ts";
import type { Platform } from "./platform.ts";

export { FakeClient } from "./fake_client.ts";

const here = connectors(platform(), "either");

export const connect: Connectors["connect"] = here.connect;
export const connectUdp: Connectors["connectUdp"] = here.connectUdp;
export const connectSecureUdp: Connectors["connectSecureUdp"] = here.connectSecureUdp;

function platform(): Platform {
  if (process.versions["bun"] === undefined) return nodePlatform;
  try {
    // A file of its own in the package: no other runtime could load it.
    return require("./bun.cjs").bunPlatform;
  } catch {
    // The C library cannot be called in this process.
    return nodePlatform;
  }
}
