import { describe, expect, test } from "bun:test";
import type { Config } from "../../src/config/config.ts";
import { statePlace } from "../../src/config/state_place.ts";

const UNIX = { kind: "unix", path: "/run/varta/varta.sock" };
const UDP = { kind: "udp", address: "127.0.0.1", port: 7878 };

function placeOf(more: object, env: Record<string, string> = {}) {
  const config = { optionsAlone: false, state: { off: false }, listeners: [UDP, UNIX], ...more };
  return statePlace(config as unknown as Config, env);
}

describe("statePlace()", () => {
  test("is in the first directory of the service manager, else beside the first Unix socket", () => {
    expect(placeOf({}, { STATE_DIRECTORY: "/var/lib/varta:/var/lib/more" })).toEqual({
      path: "/var/lib/varta/state",
      isNamed: false,
    });
    const beside = { path: "/run/varta/varta.sock.state", isNamed: false };
    expect(placeOf({})).toEqual(beside);
    expect(placeOf({}, { STATE_DIRECTORY: "relative" })).toEqual(beside);
  });

  test("is beside a stream socket where there is none for datagrams", () => {
    const stream = { kind: "unix-stream", path: "/run/varta/stream.sock" };
    expect(placeOf({ listeners: [UDP, stream] })?.path).toBe("/run/varta/stream.sock.state");
    expect(placeOf({ listeners: [stream, UNIX] })?.path).toBe("/run/varta/varta.sock.state");
  });

  test("is the one that the file names", () => {
    const state = { off: false, file: "/srv/state" };
    expect(placeOf({ state }, { STATE_DIRECTORY: "/var/lib/varta" })).toEqual({
      path: "/srv/state",
      isNamed: true,
    });
  });

  test("is nowhere if it is off, without a configuration file, and without any place", () => {
    expect(placeOf({ state: { off: true, file: "/srv/state" } })).toBeUndefined();
    expect(placeOf({ optionsAlone: true })).toBeUndefined();
    expect(placeOf({ listeners: [UDP] })).toBeUndefined();
  });
});
