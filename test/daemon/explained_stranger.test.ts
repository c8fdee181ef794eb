// A process that has never beaten, for `explain PID`: who it would be, and what decides whether it
// may beat. Its /proc is a directory of the test, the socket's file a plain one.
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { LiveConfig } from "../../src/daemon/live_config.ts";
import { Strangers } from "../../src/daemon/explained_stranger.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import type { StrangerView } from "../../src/view/explain_view.ts";
import { FixtureHost } from "../config/fixture_host.ts";
import { statLine } from "../processes/stat_line.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const PID = 8_123;
const NO_PLACES = { rules: ["varta.toml:4"], listeners: ["varta.toml:1"] };

interface Case {
  readonly uid?: number;
  readonly groups?: string;
  readonly nspid?: string;
  readonly mode?: number;
  readonly allowList?: AllowList;
}

async function viewOf(asked: Case, pid = PID): Promise<StrangerView> {
  const { uid = 1_003, groups = "", nspid = `${PID}`, mode = 0o660, allowList } = asked;
  using directory = new TemporaryDirectory();
  using fixture = new FixtureHost();
  const socket = directory.at("varta.sock");
  writeFileSync(socket, "");
  chmodSync(socket, mode);
  const own = directory.at(`proc/${PID}`);
  mkdirSync(own, { recursive: true });
  writeFileSync(`${own}/stat`, statLine("node", "500"));
  const status = `Uid:\t${uid}\t${uid}\t${uid}\t${uid}\nGid:\t70001\t70001\t70001\t70001\n`;
  writeFileSync(`${own}/status`, `${status}Groups:\t${groups}\nNSpid:\t${nspid}\n`);
  writeFileSync(`${own}/cgroup`, "0::/system.slice/shop.service\n");
  const loaded = await fixture.load(`[[listener]]
kind = "unix"
path = "${socket}"
[[agent]]
match = { unit = "shop.service" }
threshold = "2s"
`);
  if (!loaded.ok) throw new Error(loaded.text);
  const { name } = loaded.config.listeners[0]!;
  const listeners = [{ name, allowList }] as never;
  const strangers = new Strangers({
    observer: { listeners, refusals: { total: 0 } as never },
    processes: new ProcReader(directory.at("proc")),
    refusals: { ofSender: () => [] },
    live: new LiveConfig(loaded.config, () => Promise.resolve(NO_PLACES)),
    groupName: String,
    wallMs: () => Date.UTC(2026, 10, 28),
    nowGeneration: () => 600,
  });
  return strangers.view(pid, NO_PLACES);
}

describe("a stranger", () => {
  test("has the name and the rule that it would have, and when it started", async () => {
    expect(await viewOf({})).toMatchObject({
      pid: PID,
      runs: true,
      agent: "shop",
      who: { unit: "shop.service", comm: "node", uid: 1_003, since: "2026-11-27T23:59:59.000Z" },
      rule: { number: 1, place: "varta.toml:4", threshold_ms: 2_000 },
    });
  });

  test("that does not run is nobody", async () => {
    expect(await viewOf({}, PID + 1)).toMatchObject({ runs: false, may: null });
  });

  test.each([
    ["as root", { uid: 0 }, true, "root"],
    ["by its group", { groups: `5 ${process.getgid!()}` }, true, "group"],
    ["as anybody, where the mode says so", { mode: 0o666 }, true, "others"],
    ["not as anybody else", {}, false, "others"],
    [
      "not by a group that may not write",
      { groups: `${process.getgid!()}`, mode: 0o640 },
      false,
      "group",
    ],
    ["not from another pid namespace", { uid: 0, nspid: `${PID} 2` }, false, "namespace"],
    [
      "not without a place on the allow list",
      { uid: 0, allowList: new AllowList([5], []) },
      false,
      "allow_list",
    ],
    [
      "by the allow list and its mode",
      { mode: 0o666, allowList: new AllowList([1_003], []) },
      true,
      "others",
    ],
  ] as const)("may beat %s", async (_how, asked, yes, by) => {
    expect((await viewOf(asked)).may).toMatchObject({ yes, by });
  });
});
