import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { hiddenProcessesWarning } from "../../src/processes/hidden_processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const PTRACE = "0000000000080000";
const NONE = "0000000000000000";

interface Machine {
  /** Options of each mount on /proc, in order. */
  readonly mounts?: readonly string[];
  readonly capabilities?: string;
  readonly groups?: string;
  readonly showsFirst?: boolean;
}

function warningOn({ mounts = ["rw"], capabilities = NONE, groups = "", ...more }: Machine) {
  using directory = new TemporaryDirectory();
  mkdirSync(directory.at("self"));
  mkdirSync(directory.at("1"));
  const lines = mounts.map(
    (options, at) => `${22 + at} 27 0:21 / /proc rw,relatime shared:5 - proc proc ${options}\n`,
  );
  writeFileSync(
    directory.at("self/mountinfo"),
    `21 1 8:1 / / rw - ext4 /dev/sda rw\n${lines.join("")}`,
  );
  writeFileSync(
    directory.at("self/status"),
    `Name:\tx\nGid:\t500\t500\t500\t500\nGroups:\t${groups} \nCapEff:\t${capabilities}\n`,
  );
  if (more.showsFirst ?? true) writeFileSync(directory.at("1/stat"), "1 (init) S 0\n");
  return hiddenProcessesWarning(directory.path);
}

test.each([
  ["nothing is hidden", {}],
  ["the option is off", { mounts: ["rw,hidepid=0"] }],
  ["we may trace everybody", { mounts: ["rw,hidepid=2"], capabilities: PTRACE }],
  ["we are in the group of the mount", { mounts: ["rw,hidepid=invisible,gid=44"], groups: "7 44" }],
  ["our own group is that of the mount", { mounts: ["rw,hidepid=1,gid=500"] }],
  ["another mount lies above", { mounts: ["rw,hidepid=2", "rw"] }],
] satisfies [string, Machine][])(
  "hiddenProcessesWarning() has nothing to say if %s",
  (_what, machine) => {
    expect(warningOn(machine)).toBeUndefined();
  },
);

test.each([
  ["hidepid=2", { mounts: ["rw,hidepid=2"] }],
  ["hidepid=noaccess", { mounts: ["rw", "rw,hidepid=noaccess"], groups: "7 44" }],
  ["hidepid=ptraceable", { mounts: ["rw,hidepid=ptraceable,gid=500"] }],
  ["/proc/1/stat cannot be read", { showsFirst: false }],
] satisfies [string, Machine][])(
  "hiddenProcessesWarning() says %s, and what to do",
  (cause, machine) => {
    expect(warningOn(machine)).toEqual({
      reason: `/proc hides the processes of other users (${cause})`,
      effect: "their agents are watched but not recovered",
      hint:
        "grant CAP_SYS_PTRACE, set ProtectProc=default in the unit, or mount /proc with gid= of a " +
        "group of the daemon",
    });
  },
);
