import { expect, test } from "bun:test";
import { PLACEHOLDERS } from "../../src/base/placeholders.ts";
import { ChildEnvironment } from "../../src/recovery/environment.ts";

const VALUES = PLACEHOLDERS.map((word) => `<${word}>`);

const VARIABLES = {
  VARTA_PID: "<pid>",
  VARTA_STATUS: "<status>",
  VARTA_PAYLOAD: "<payload>",
  VARTA_LISTENER: "<listener>",
  VARTA_LAST_NONCE: "<last_nonce>",
  VARTA_SILENCE_MS: "<silence_ms>",
  VARTA_LAST_BEAT_UNIX_MS: "<last_beat_unix_ms>",
  VARTA_THRESHOLD_MS: "<threshold_ms>",
  VARTA_ORIGIN: "<origin>",
  VARTA_GENERATION: "<generation>",
  VARTA_NAMESPACE: "<namespace>",
  VARTA_AGENT: "<agent>",
  VARTA_VERDICT: "<verdict>",
};

test("ChildEnvironment holds PATH and the placeholders, and nothing else by default", () => {
  expect({ ...new ChildEnvironment({}, undefined).expand(VALUES) }).toEqual({
    PATH: "/usr/bin:/bin",
    ...VARIABLES,
  });
});

test("ChildEnvironment says where an agent by plain UDP is, and never passes on where another one was", () => {
  const environment = new ChildEnvironment({}, { VARTA_SOURCE: "10.9.9.9" });
  expect(environment.expand(VALUES, false, "10.0.0.3")["VARTA_SOURCE"]).toBe("10.0.0.3");
  expect(environment.expand(VALUES)["VARTA_SOURCE"]).toBeUndefined();
});

test("ChildEnvironment lets an entry override PATH and a placeholder", () => {
  const entries = { PATH: "/opt/bin", VARTA_PID: "mine", EXTRA: "{pid}" };
  expect({ ...new ChildEnvironment(entries, undefined).expand(VALUES) }).toEqual({
    ...VARIABLES,
    ...entries,
  });
});

test("ChildEnvironment inherits everything but what the service manager meant for the daemon", () => {
  const inherited = {
    PATH: "/sbin",
    HOME: "/root",
    VARTA_STATUS: "old",
    NOTIFY_SOCKET: "/run/notify",
    WATCHDOG_USEC: "1",
    WATCHDOG_PID: "2",
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: "varta-beat-q512-d26-i1042-m660",
    LISTEN_PID: "2",
    LISTEN_PIDFDID: "3",
    FDSTORE: "160",
    UNSET: undefined,
  };
  expect({ ...new ChildEnvironment({ HOME: "/nowhere" }, inherited).expand(VALUES) }).toEqual({
    PATH: "/sbin",
    HOME: "/nowhere",
    ...VARIABLES,
  });
});

test("ChildEnvironment gives an entry what was withheld from the daemon's environment", () => {
  const env = new ChildEnvironment({ NOTIFY_SOCKET: "/mine" }, { NOTIFY_SOCKET: "/run/notify" });
  expect(env.expand(VALUES)["NOTIFY_SOCKET"]).toBe("/mine");
});

test("ChildEnvironment has a PATH even if the daemon has none", () => {
  expect(new ChildEnvironment({}, { HOME: "/" }).expand(VALUES)["PATH"]).toBe("/usr/bin:/bin");
});

test("ChildEnvironment takes names that objects know for variables", () => {
  const entries = JSON.parse('{"__proto__": "a", "constructor": "b"}') as Record<string, string>;
  const env = new ChildEnvironment(entries, undefined).expand(VALUES);
  expect(Object.entries(env)).toContainEqual(["__proto__", "a"]);
  expect(Object.entries(env)).toContainEqual(["constructor", "b"]);
});

test("ChildEnvironment makes a new environment for each child", () => {
  const environment = new ChildEnvironment({}, undefined);
  environment.expand(VALUES)["PATH"] = "changed";
  expect(environment.expand(VALUES)["PATH"]).toBe("/usr/bin:/bin");
});

test("ChildEnvironment says where there is no pid, and nothing else says it", () => {
  const environment = new ChildEnvironment({}, { VARTA_PID_GONE: "1" });
  expect(environment.expand(VALUES)["VARTA_PID_GONE"]).toBeUndefined();
  expect(environment.expand(VALUES, true)["VARTA_PID_GONE"]).toBe("1");
});
