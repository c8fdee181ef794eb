// Which unit or container a control group means, and that nobody but systemd and root says so.
import { describe, expect, test } from "bun:test";
import { placementOf } from "../../src/processes/unit_placement.ts";

const ID = "0123456789abcdef".repeat(4);
const POD = "pod0123_4567_89ab_cdef_0123456789ab";

/** As text: "unit", "UID:unit", "container", "UID:container", "". */
function placed(cgroup: string): string {
  const { unit, unitUid, container } = placementOf(cgroup);
  expect(unit === "" || container === "").toBe(true);
  const owner = Number.isNaN(unitUid) || unit + container === "" ? "" : `${unitUid}:`;
  return owner + unit + container;
}

describe("placementOf() takes the hierarchy of systemd alone:", () => {
  test.each([
    ["0::/system.slice/app.service\n", "app.service"],
    ["12:cpu:/x.service\n0::/system.slice/app.service\n", "app.service"],
    // The unified one is mounted and not used.
    ["9:name=systemd:/system.slice/app.service\n4:memory:/y.service\n0::/\n", "app.service"],
    ["9:name=systemd:/system.slice/old.service\n0::/system.slice/new.service\n", "new.service"],
    ["4:memory:/system.slice/app.service\n", ""],
    ["4:memory:/process_api/0123\n0::/\n1:name=systemd:/\n", ""],
    ["", ""],
    ["0::\n0::relative\nnonsense", ""],
  ])("%j is %j", (text, wanted) => {
    expect(placed(text)).toBe(wanted);
  });
});

describe("placementOf() takes the first unit from the root:", () => {
  test.each([
    ["/system.slice/system-worker.slice/worker@3.service", "worker@3.service"],
    ["/system.slice/worker@3.service/payload", "worker@3.service"],
    ["/system.slice/worker@3.service/sshd.service", "worker@3.service"],
    ["/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "1000:foo.service"],
    [
      "/user.slice/user-1000.slice/user@1000.service/app.slice/worker@3.service",
      "1000:worker@3.service",
    ],
    ["/user.slice/user-1000.slice/user@1000.service/init.scope", ""],
    ["/user.slice/user-1000.slice/user@1000.service/user@0.service", "1000:user@0.service"],
    ["/user.slice/user-1000.slice/session-3.scope", ""],
    ["/user.slice/user-1000.slice/session-3.scope/sshd.service", ""],
    ["/system.slice/run-r0123456789abcdef0123456789abcdef.scope", ""],
    ["/init.scope", ""],
    ["/system.slice", ""],
    ["/", ""],
    // The daemon has a control group namespace of its own: what is above may be anybody's.
    ["/../sshd.service", ""],
    ["/../../system.slice/sshd.service", ""],
  ])("%j is %j", (path, wanted) => {
    expect(placed(`0::${path}\n`)).toBe(wanted);
  });
});

describe("placementOf() finds a container, whose id is never alone:", () => {
  test.each([
    [`/system.slice/docker-${ID}.scope`, `docker-${ID}`],
    [`/machine.slice/libpod-${ID}.scope/container`, `libpod-${ID}`],
    [
      `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`,
      `1000:libpod-${ID}`,
    ],
    [
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${POD}.slice/cri-containerd-${ID}.scope`,
      `cri-containerd-${ID}`,
    ],
    [`/system.slice/kubepods-besteffort-${POD}.slice:cri-containerd:${ID}`, `cri-containerd-${ID}`],
    [`/docker/${ID}`, `docker-${ID}`],
    [`/kubepods/burstable/pod01234567-89ab-cdef-0123-456789abcdef/${ID}`, `pod-${ID}`],
    [`/${ID}`, `container-${ID}`],
    ["/machine.slice/machine-web.scope", "machine-web"],
    ["/lxc.payload.web1/system.slice/x.service", "lxc-web1"],
    [`/system.slice/app.service/docker-${ID}.scope`, "app.service"],
  ])("%j is %j", (path, wanted) => {
    expect(placed(`0::${path}\n`)).toBe(wanted);
  });
});
