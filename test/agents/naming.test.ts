// What agents are called, and that no byte of a process gets into a name as it is.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  fitName,
  type MemberFacts,
  nameFor,
  OWNER_RULE,
  OWNER_UNKNOWN,
} from "../../src/agents/naming.ts";
import type { Identity } from "../../src/processes/identity.ts";

const NOBODY: Identity = {
  uid: 1000,
  gid: 1000,
  user: "app",
  unit: "",
  unitUser: "",
  container: "",
  comm: "",
  exe: "",
  script: "",
  mark: 1,
};

function facts(identity: Partial<Identity> | undefined, rest: Partial<MemberFacts> = {}) {
  const { uid, user } = { ...NOBODY, ...identity };
  const whole = identity && { ...NOBODY, ...identity };
  return { pid: 4711, uid, user, identity: whole, listener: "local", address: "", ...rest };
}

function nameOf(identity: Partial<Identity> | undefined, template?: string): string {
  const rule = template === undefined ? undefined : { name: template, bindsOwner: false };
  return fitName(nameFor(facts(identity), rule).text);
}

const ALL = {
  unit: "worker@3.service",
  container: `docker-${"0123456789abcdef".repeat(4)}`,
  script: "worker.py",
  comm: "python3",
};

describe("an agent is called by the first that there is of", () => {
  test("system unit, user's unit, container, script, program and uid", () => {
    expect(nameOf(ALL)).toBe("worker@3");
    expect(nameOf({ ...ALL, unitUser: "app" })).toBe("app:worker@3");
    expect(nameOf({ ...ALL, unit: "" })).toBe("docker-0123456789ab");
    expect(nameOf({ ...ALL, unit: "", unitUser: "app" })).toBe("app:docker-0123456789ab");
    expect(nameOf({ ...ALL, unit: "", container: "" })).toBe("worker.py");
    expect(nameOf({ comm: "nginx" })).toBe("nginx");
    expect(nameOf({})).toBe("uid-1000");
  });

  test("uid, if its process is gone", () => {
    expect(nameOf(undefined)).toBe("uid-1000");
  });

  test("address, or listener, and pid, if it is on another machine", () => {
    const remote = { ...facts(undefined), uid: Number.NaN, user: "" };
    expect(nameFor({ ...remote, address: "10.0.0.3" }, undefined)).toMatchObject({
      text: "10.0.0.3/4711",
      owner: OWNER_UNKNOWN,
    });
    expect(nameFor({ ...remote, listener: "e/d" }, undefined).text).toBe("e%2Fd/4711");
  });
});

describe("a rule", () => {
  test("names by its text and its placeholders", () => {
    expect(nameOf(ALL, "worker")).toBe("worker");
    expect(nameOf(ALL, "{unit}.{instance}-{script}:{user}@{listener}_{comm}")).toBe(
      "worker@3.3-worker.py:app@local_python3",
    );
    expect(nameOf({ ...ALL, unitUser: "eve" }, "{unit}")).toBe("eve:worker@3");
    expect(nameOf(ALL, "{container}")).toBe("docker-0123456789ab");
    expect(nameOf({ ...ALL, unitUser: "eve" }, "{container}")).toBe("eve:docker-0123456789ab");
  });

  test("with an empty placeholder says nothing", () => {
    expect(nameOf({ comm: "nginx" }, "x-{instance}")).toBe("nginx");
    expect(nameOf(undefined, "{comm}")).toBe("uid-1000");
    expect(nameOf(undefined, "of-{user}")).toBe("of-app");
  });

  test("by user, uid or unit makes members of all uids one agent, another only those of one", () => {
    const named = (bindsOwner: boolean) => nameFor(facts(ALL), { name: "worker", bindsOwner });
    expect([named(true).owner, named(false).owner]).toEqual([OWNER_RULE, 1000]);
    expect(nameFor(facts(ALL), undefined).owner).toBe(1000);
  });

  test.each([
    ["worker", false],
    ["{unit}", false],
    ["{user}@{listener}", false],
    ["{comm}", true],
    ["w-{script}", true],
    ["{container}", true],
  ])("that names by %j gives names that anybody can make up: %j", (name, isFree) => {
    expect(nameFor(facts(ALL), { name, bindsOwner: true }).isFree).toBe(isFree);
  });

  test("that names by a unit gives such names only for units of users", () => {
    const rule = { name: "{unit}", bindsOwner: true };
    expect(nameFor(facts({ ...ALL, unitUser: "eve" }), rule).isFree).toBe(true);
    expect(nameFor(facts(ALL), undefined).isFree).toBe(false);
    expect(nameFor(facts({ comm: "nginx" }), undefined).isFree).toBe(true);
  });
});

describe("a name", () => {
  test.each([
    ["a b", "a%20b"],
    ["a/b%c", "a%2Fb%25c"],
    ["\n\x1b[31m\x00\xff", "%0A%1B%5B31m%00%FF"],
    ['"$(reboot)`', "%22%24%28reboot%29%60"],
    ["A-z_0.9@x:y", "A-z_0.9@x:y"],
    ["123", "comm:123"],
    ["123a", "123a"],
    [`run-${"0123456789abcdef".repeat(2)}`, "run-0123456789ab"],
  ])("of the program %j is %j", (comm, wanted) => {
    expect(nameOf({ comm })).toBe(wanted);
  });

  test("of what a rule says has its characters as the bytes of UTF-8", () => {
    expect(nameOf(ALL, "süd/{instance}%")).toBe("s%C3%BCd%2F3%25");
  });

  test("of more than 64 characters is the first 55 and a hash of all", () => {
    const script = (length: number) => nameOf({ script: "x".repeat(length) });
    expect(script(64)).toBe("x".repeat(64));
    expect(script(65)).toBe(`${"x".repeat(55)}-9537c5fd`);
    expect(script(66)).not.toBe(script(65));
  });

  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
  });
  const identity = fc.record({
    unit: fc.oneof(
      fc.constant(""),
      bytes.map((text) => `${text}.service`),
    ),
    unitUser: fc.oneof(fc.constant(""), bytes),
    container: bytes,
    script: bytes,
    comm: bytes,
    user: bytes,
  });
  const template = fc.oneof(
    fc.constant(undefined),
    fc.constant("{unit}{instance}{comm}"),
    fc.constant("{script}-{container}/{user}"),
    fc.string({ unit: "binary" }),
  );

  test("holds nothing that a log, a label, a shell or a terminal obeys, whatever the bytes are", () => {
    fc.assert(
      fc.property(identity, template, (who, name) => {
        const { text, user } = nameFor(facts(who), { name, bindsOwner: false });
        for (const called of [text, `${user}:${text}`].map(fitName)) {
          expect(called).toMatch(/^[A-Za-z0-9_.@:%-]{1,64}$/);
          expect(called).not.toMatch(/^[0-9]+$/);
          expect(called).not.toMatch(/[0-9a-f]{32}/);
        }
      }),
    );
  });

  test("tells different programs apart", () => {
    const short = fc.string({
      unit: fc.integer({ min: 1, max: 255 }).map((c) => String.fromCharCode(c)),
      minLength: 1,
      maxLength: 15,
    });
    fc.assert(
      fc.property(short, short, (one, other) => {
        expect(nameOf({ comm: one }) === nameOf({ comm: other })).toBe(one === other);
      }),
    );
  });
});
