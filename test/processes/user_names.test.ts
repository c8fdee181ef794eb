import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { NS_PER_S } from "../../src/base/time.ts";
import { UserNames } from "../../src/processes/user_names.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

test("UserNames reads again for a uid that is new, and not more often than once a minute", () => {
  using directory = new TemporaryDirectory();
  const file = `${directory.path}/passwd`;
  writeFileSync(file, "root:x:0:0::/:/bin/sh\nother:x:0:0::/:/bin/sh\nbad:x:one:1\n:x:7:7\n");
  const users = new UserNames(file);
  expect([0, 7, 1000].map((uid) => users.nameOf(uid, 0))).toEqual(["root", "7", "1000"]);
  writeFileSync(file, "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n");
  expect(users.nameOf(1000, 59 * NS_PER_S)).toBe("1000");
  expect(users.nameOf(1000, 60 * NS_PER_S)).toBe("app");
});

test("UserNames without an account file knows numbers", () => {
  expect(new UserNames("/nonexistent/passwd").nameOf(5, 0)).toBe("5");
});
