// Which control groups name a service that may be restarted, and which do not.
import { describe, expect, test } from "bun:test";
import { parseUnit } from "../../src/processes/unit_of_process.ts";

describe("parseUnit() names", () => {
  const SERVICES: [text: string, name: string, cgroup: string][] = [
    ["0::/system.slice/app.service\n", "app.service", "/system.slice/app.service"],
    [
      "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
      "postgresql@15-main.service",
      "/system.slice/system-postgresql.slice/postgresql@15-main.service",
    ],
    // A service with a tree of its own (Delegate=) is named by its first level.
    ["0::/system.slice/app.service/worker/7\n", "app.service", "/system.slice/app.service"],
    ["0::/machine.slice/a\\x2db.service\n", "a\\x2db.service", "/machine.slice/a\\x2db.service"],
    // Several hierarchies: systemd's own is the one that counts.
    [
      "9:name=systemd:/system.slice/app.service\n4:memory:/elsewhere\n0::/\n",
      "app.service",
      "/system.slice/app.service",
    ],
    ["1:name=systemd:/app.service\n", "app.service", "/app.service"],
  ];
  for (const [text, name, cgroup] of SERVICES) {
    test(`${name} in ${JSON.stringify(text)}`, () => {
      expect(parseUnit(text)).toEqual({ name, cgroup });
    });
  }
});

describe("parseUnit() refuses", () => {
  const OTHERS: [text: string, words: RegExp][] = [
    ["", /cannot be read/],
    ["nonsense", /cannot be read/],
    ["4:memory:/app.service\n", /cannot be read/],
    ["0::/\n", /outside/],
    ["0::/../../system.slice/app.service\n", /outside that of the daemon/],
    ["0::/init.scope\n", /no service/],
    ["0::/system.slice\n", /no service/],
    ["0::/system.slice/docker-0123.scope\n", /no service/],
    ["0::/docker/0123456789ab\n", /no service/],
    ["0::/user.slice/user-1000.slice/session-3.scope\n", /belongs to a user/],
    ["0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", /belongs to a user/],
    ["0::/system.slice/-h.service\n", /no service/],
    ["0::/system.slice/a b.service\n", /no service/],
    ["0::/system.slice/_app.service\n", /no service/],
    ["0::/system.slice/app.service.d/x\n", /no service/],
    [`0::/system.slice/${"a".repeat(300)}.service\n`, /no service/],
  ];
  for (const [text, words] of OTHERS) {
    test(JSON.stringify(text.slice(0, 80)), () => {
      expect(parseUnit(text)).toMatch(words);
    });
  }
});
