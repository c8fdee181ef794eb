// What `status` can say of a daemon that is down, whoever asks, and whatever it has left.
import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { configuredPlaces } from "../../src/cli/configured_places.ts";
import { lastKnown } from "../../src/cli/last_known.ts";
import { LAST_SEEN_FILE } from "../../src/view/last_seen.ts";
import { bytesOf, EMPTY, MEMBER, MOMENT } from "../snapshot/states.ts";
import { runCommand } from "../support/command.ts";
import { PROGRAM } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const STATE_MS = Date.parse("2026-11-28T02:05:12.000Z");
const STATE_TIME = new Date(STATE_MS).toISOString();

function stateAt(unixMs: number, isFinal: boolean): Uint8Array {
  const members = [
    { ...MEMBER, pid: 1, key: 1, agent: "api", isStalled: false, hasEnded: false },
    { ...MEMBER, pid: 2, key: 2, agent: "worker", isStalled: true, hasEnded: false },
    { ...MEMBER, pid: 3, key: 3, agent: "worker", isStalled: false, hasEnded: false },
  ];
  const missing = [{ agent: "cron", sinceNs: 1, isTold: true }];
  return bytesOf({ ...EMPTY, moment: { ...MOMENT, unixMs, isFinal }, member: members, missing });
}

function seenAt(time: string, final = true): string {
  const agents = { ok: 7, bad: [], beating: 7, members: 7 };
  return JSON.stringify({ v: 1, time, final, agents });
}

const AGENTS = {
  ok: 1,
  bad: [
    { state: "stalled", agents: ["worker"] },
    { state: "missing", agents: ["cron"] },
  ],
  beating: 2,
  members: 3,
};

describe("what a daemon that is down has left", () => {
  test("is the state of its end, with the agents as they were", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("varta.sock.state"), stateAt(STATE_MS, true));
    expect(lastKnown(directory.at("control.sock"))).toEqual({
      ...{ time: STATE_TIME, agents: AGENTS, isAtLeast: false },
    });
  });

  test("is no end if it was killed: it may have been there for longer", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("varta.sock.state"), stateAt(STATE_MS, false));
    expect(lastKnown(directory.at("control.sock"))).toMatchObject({ isAtLeast: true });
    for (const final of [true, false]) {
      writeFileSync(directory.at(LAST_SEEN_FILE), seenAt(STATE_TIME, final));
      expect(lastKnown(directory.at("control.sock"))).toMatchObject({ isAtLeast: !final });
    }
  });

  test("is last-seen, unless the state is younger than that could be", () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("varta.sock.state"), stateAt(STATE_MS, true));
    const seen = (ms: number) => new Date(STATE_MS + ms).toISOString();
    writeFileSync(directory.at(LAST_SEEN_FILE), seenAt(seen(-5_000)));
    expect(lastKnown(directory.at("control.sock"))).toMatchObject({ agents: { ok: 7 } });
    writeFileSync(directory.at(LAST_SEEN_FILE), seenAt(seen(-5_001)));
    expect(lastKnown(directory.at("control.sock"))).toMatchObject({ agents: { ok: 1 } });
  });

  test("is the time of a state that cannot be read, or of its lock, and nothing else", () => {
    using directory = new TemporaryDirectory();
    const path = directory.at("varta.sock.state");
    for (const bytes of [new Uint8Array(0), new Uint8Array(4_096), stateAt(9e18, true)]) {
      writeFileSync(path, bytes);
      utimesSync(path, STATE_MS / 1_000 - 60, STATE_MS / 1_000 - 60);
      writeFileSync(`${path}.lock`, "");
      utimesSync(`${path}.lock`, STATE_MS / 1_000, STATE_MS / 1_000);
      const known = lastKnown(directory.at("control.sock"));
      expect(known).toEqual({ time: STATE_TIME, isAtLeast: true });
    }
  });

  test("is looked at through no link, and a directory is no state", () => {
    using directory = new TemporaryDirectory();
    mkdirSync(directory.at("d.state"));
    writeFileSync(directory.at("elsewhere"), stateAt(STATE_MS, true));
    symlinkSync(directory.at("elsewhere"), directory.at("l.state"));
    expect(lastKnown(directory.at("control.sock"))?.agents).toBeUndefined();
  });

  test("is nothing where there is nothing", () => {
    using directory = new TemporaryDirectory();
    expect(lastKnown(directory.at("control.sock"))).toBeUndefined();
    expect(lastKnown(directory.at("none/control.sock"))).toBeUndefined();
  });

  test("is the state that the configuration file names, wherever that is", () => {
    using directory = new TemporaryDirectory();
    mkdirSync(directory.at("elsewhere"));
    writeFileSync(directory.at("elsewhere/kept"), stateAt(STATE_MS, true));
    const file = directory.at("varta.toml");
    writeFileSync(file, `[state]\nfile = "${directory.at("elsewhere/kept")}"\n`);
    const { state, control, unread } = configuredPlaces(file)!;
    expect([control, unread]).toEqual([undefined, ""]);
    expect(lastKnown(directory.at("control.sock"), state)).toMatchObject({ time: STATE_TIME });
  });
});

describe("the places that a configuration file names", () => {
  function placesOf(text: string) {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("varta.toml"), text);
    return configuredPlaces(directory.at("varta.toml"))!;
  }

  test("are those that it says, else beside its first Unix socket", () => {
    const unix = '[[listener]]\nkind = "udp"\n[[listener]]\nkind = "unix"\npath = "/a/v.sock"\n';
    expect(placesOf(unix)).toMatchObject({ control: "/a/control.sock", state: "/a/v.sock.state" });
    const said = `${unix}[control]\npath = "/b/c"\n[state]\nfile = "/s"\n`;
    expect(placesOf(said)).toMatchObject({ control: "/b/c", state: "/s", unread: "" });
    for (const off of ['state = "off"\n', "state = { off = true }\n"])
      expect(placesOf(off + unix)).toMatchObject({ control: "/a/control.sock", state: undefined });
  });

  test.each([
    ["", undefined],
    ['state = "off"\nlistener = 3\ncontrol = []\n', undefined],
    ['[state]\nfile = "relative"\n[[listener]]\nkind = "unix"\npath = 7\n', undefined],
  ])("are none in %j", (text, none) => {
    expect(placesOf(text)).toMatchObject({ control: none, state: none, unread: "" });
  });

  test("are not known of one that cannot be read, and there is none at an empty default place", () => {
    expect(placesOf("a = ").unread).toStartWith("found ");
    using directory = new TemporaryDirectory();
    expect(configuredPlaces(undefined, directory.at("varta.toml"))).toBeUndefined();
    expect(configuredPlaces(directory.at("varta.toml"))!.unread).toBe("found no such file");
    expect(configuredPlaces(undefined, directory.path)!.unread).toBe("found a directory");
  });
});

test("status at a configuration file that cannot be read asks nobody", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.at("none.toml");
  const { stderr, exitCode } = await runCommand([...PROGRAM, "status", "--config", file]);
  expect(stderr).toContain(`--config ${file}: found no such file; want the configuration file`);
  expect(exitCode).toBe(64);
});
