// Systems that a test decides about: the pid and the monotonic clock that a client sees.
import type { AgentSystem } from "../../src/client/agent_system.ts";
import { bunPlatform } from "../../src/client/bun_platform.ts";
import { type Endpoint, udpEndpoint, unixEndpoint } from "../../src/client/endpoint.ts";

export function fixedSystem(pid: number, seconds: number, nanoseconds: number): AgentSystem {
  return {
    pid: () => pid,
    readClock: () => 0,
    seconds: () => seconds,
    nanoseconds: () => nanoseconds,
  };
}

export function settableSystem() {
  return {
    pidNow: 5_000,
    nowNs: 0,
    pid() {
      return this.pidNow;
    },
    readClock: () => 0,
    seconds() {
      return Math.floor(this.nowNs / 1e9);
    },
    nanoseconds() {
      return this.nowNs % 1e9;
    },
  };
}

export function unixEnd(path: string): Endpoint {
  return unixEndpoint(bunPlatform, "datagram", path);
}

export function udpEnd(host: string, port: number): Endpoint {
  return udpEndpoint(bunPlatform, host, port);
}
