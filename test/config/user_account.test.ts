import { describe, expect, test } from "bun:test";
import { findUser } from "../../src/config/user_account.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function files(directory: TemporaryDirectory) {
  Bun.write(directory.at("passwd"), "root:x:0:0::/root:/bin/sh\nvarta:x:998:997::/:/bin/false\n");
  Bun.write(directory.at("group"), "adm:x:4:syslog,varta\nvarta:x:997:\nproc:x:50:\n");
  return { passwdFile: directory.at("passwd"), groupFile: directory.at("group") };
}

describe("findUser()", () => {
  test("finds a user by name and by number, with all groups", () => {
    using directory = new TemporaryDirectory();
    const accounts = files(directory);
    const varta = { name: "varta", uid: 998, gid: 997, groups: [997, 4] };
    expect(findUser("varta", accounts)).toEqual(varta);
    expect(findUser("998", accounts)).toEqual(varta);
    expect(findUser("root", accounts)).toMatchObject({ uid: 0, groups: [0] });
  });

  test("takes the groups of a unit, by name and by number", () => {
    using directory = new TemporaryDirectory();
    const user = findUser("varta", files(directory), "adm", ["proc", "77", "none"]);
    expect(user).toEqual({ name: "varta", uid: 998, gid: 4, groups: [4, 50, 77] });
  });

  test("takes a number without an entry, and no name without one", () => {
    using directory = new TemporaryDirectory();
    const accounts = files(directory);
    expect(findUser("4711", accounts)).toEqual({
      name: "4711",
      uid: 4711,
      gid: 4711,
      groups: [4711],
    });
    expect(findUser("stranger", accounts)).toBeUndefined();
    // The kernel would take the first for "as it is" and the second for root.
    expect(findUser("4294967295", accounts)).toBeUndefined();
    expect(findUser("4294967296", accounts)).toBeUndefined();
    expect(findUser("4294967294", accounts)?.uid).toBe(4294967294);
    expect(findUser("", accounts)).toBeUndefined();
  });
});
