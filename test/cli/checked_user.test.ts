// Whom `check` checks for, decided from accounts and units that a test has written.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { chooseUser } from "../../src/cli/checked_user.ts";
import { FixtureHost } from "../config/fixture_host.ts";

const SHIPPED = [join(import.meta.dir, "../../packaging/systemd")];
const FILE = "/etc/varta/varta.toml";

function fixture(uid: number): FixtureHost {
  const made = new FixtureHost({ uid });
  made.write(
    "passwd",
    "root:x:0:0::/:/bin/sh\nvarta:x:998:997::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n",
  );
  made.write("group", "varta:x:997:\n");
  return made;
}

describe("chooseUser()", () => {
  test("takes the user of the installed unit when root asks", () => {
    using made = fixture(0);
    expect(
      chooseUser({ host: made.host, file: FILE, asked: undefined, unitDirectories: SHIPPED }),
    ).toMatchObject({
      user: { name: "varta", uid: 998, gid: 997 },
      unit: { name: "varta-watch.service" },
      isOther: true,
      isByUnit: true,
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" },
    });
  });

  test("takes the one who asks without a unit, and when it is not root", () => {
    using root = fixture(0);
    expect(
      chooseUser({ host: root.host, file: FILE, asked: undefined, unitDirectories: [] }),
    ).toMatchObject({
      user: { name: "root" },
      unit: undefined,
      isOther: false,
    });
    using ann = fixture(1000);
    expect(
      chooseUser({ host: ann.host, file: FILE, asked: undefined, unitDirectories: SHIPPED }),
    ).toMatchObject({
      user: { name: "ann" },
      unit: undefined,
      isOther: false,
    });
  });

  test("takes the one that is asked for, with the unit if it is its user", () => {
    using made = fixture(0);
    const choice = { host: made.host, file: FILE, unitDirectories: SHIPPED };
    expect(chooseUser({ ...choice, asked: "ann" })).toMatchObject({
      user: { uid: 1000 },
      unit: undefined,
    });
    expect(chooseUser({ ...choice, asked: "varta" })).toMatchObject({ unit: { user: "varta" } });
    expect(chooseUser({ ...choice, asked: "0" })).toMatchObject({
      isOther: false,
      unit: undefined,
    });
  });

  test("says what is missing if the unit's user does not exist", () => {
    using made = fixture(0);
    made.write("passwd", "root:x:0:0::/:/bin/sh\n");
    const chosen = chooseUser({
      host: made.host,
      file: FILE,
      asked: undefined,
      unitDirectories: SHIPPED,
    });
    if (chosen.ok) throw new Error("a user was made up");
    expect(made.plain(chosen.message)).toBe(
      "cannot check for varta-watch.service: found User=varta, which is not in /etc/varta/passwd",
    );
    expect(chosen.exitCode).toBe(78);
  });
});
