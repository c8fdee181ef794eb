// ${CREDENTIALS_DIRECTORY}/NAME in the paths of secret files.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/load.ts";
import { SocketHolders } from "../../../src/config/checks/socket_holders.ts";
import { findUnit } from "../../../src/config/checks/unit_file.ts";
import { findUser } from "../../../src/config/user_account.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { FixtureHost, KEY } from "../fixture_host.ts";

setDefaultTimeout(TEST_MS_MAX);

// biome-ignore lint/suspicious/noTemplateCurlyInString: it stands so in the file
const IN_CREDENTIALS = "${CREDENTIALS_DIRECTORY}/";

function listener(keyFile: string): string {
  return `[[listener]]\nkind = "secure-udp"\nport = 4711\nkey_file = "${keyFile}"\n`;
}

/** A host whose service manager made `credentials`, or none. */
function fixtureWith(credentials: "given" | "missing" | "relative"): FixtureHost {
  const env: Record<string, string> = {};
  const fixture = new FixtureHost({ env });
  chmodSync(fixture.directory, 0o700);
  if (credentials === "given") env["CREDENTIALS_DIRECTORY"] = fixture.directory;
  if (credentials === "relative") env["CREDENTIALS_DIRECTORY"] = "credentials";
  fixture.write("agents", KEY);
  fixture.write("token", KEY);
  fixture.write("command", "/usr/bin/true");
  return fixture;
}

async function problemsOf(fixture: FixtureHost, text: string): Promise<string> {
  const result = await fixture.load(text);
  if (result.ok) throw new Error("the file was accepted");
  expect(result.exitCode).toBe(78);
  return fixture.plain(result.text);
}

describe("a secret file in the credentials directory", () => {
  test("is found by every key that names a secret file", async () => {
    using fixture = fixtureWith("given");
    const result = await fixture.load(
      [
        listener(`${IN_CREDENTIALS}agents`),
        `accept_recovery = true\n`,
        `[recovery]\ncommand_file = "${IN_CREDENTIALS}command"\n`,
        `[metrics]\nlisten = "127.0.0.1:0"\ntoken_file = "${IN_CREDENTIALS}token"\n`,
        `[audit]\nfile = "/etc/varta/audit"\nkey_file = "${IN_CREDENTIALS}token"\n`,
      ].join(""),
    );
    if (!result.ok) throw new Error(result.text);
    const { config } = result;
    expect(config.listeners[0]).toMatchObject({ keyFile: join(fixture.directory, "agents") });
    expect(config.recovery.command).toEqual(["/usr/bin/true"]);
    expect(config.metrics.tokenFile).toBe(join(fixture.directory, "token"));
    expect(config.metrics.token).toHaveLength(32);
    expect(config.audit.key).toHaveLength(32);
  });

  test("is not checked while its unit is stopped, if the unit hands it over", async () => {
    using fixture = fixtureWith("missing");
    using units = new TemporaryDirectory();
    const service = "[Service]\nLoadCredential=agents:/etc/varta/agents\nSetCredential=token:x\n";
    writeFileSync(units.at("varta-watch.service"), service);
    const machine = {
      user: findUser("root", fixture.host)!,
      unit: findUnit(undefined, [units.path]),
      holders: new SocketHolders({ isOurs: () => false }),
      holdsOther: () => false,
    };
    const [port] = freeUdpPorts(1);
    const load = (name: string) => {
      const text = listener(`${IN_CREDENTIALS}${name}`).replace("4711", `${port}`);
      const configFile = fixture.write("varta.toml", text);
      return loadConfig({ configFile, given: [], host: fixture.host, machine });
    };
    const good = await load("agents");
    if (!good.ok) throw new Error(good.text);
    expect(good.warnings).toEqual([
      "1st [[listener]]: key_file was not checked: varta-watch.service has the credential when it runs",
    ]);
    const bad = await load("agent");
    if (bad.ok) throw new Error("the file was accepted");
    expect(bad.text).toContain(
      `found "${IN_CREDENTIALS}agent", which varta-watch.service does not load; want LoadCredential=agent in the unit`,
    );
  });

  test("is judged like any other", async () => {
    using fixture = fixtureWith("given");
    fixture.write("agents", KEY, 0o644);
    expect(await problemsOf(fixture, listener(`${IN_CREDENTIALS}agents`))).toContain(
      ":4:12: 1st [[listener]]: key_file: found /etc/varta/agents with mode 0644; want mode 0600 or stricter",
    );
  });

  test.each(["missing", "relative"] as const)(
    "is a fault where the variable is %s",
    async (how) => {
      using fixture = fixtureWith(how);
      const text = await problemsOf(fixture, listener(`${IN_CREDENTIALS}agents`));
      expect(text).toContain(
        `:4:12: 1st [[listener]]: key_file: found "${IN_CREDENTIALS}agents", but CREDENTIALS_DIRECTORY is not set; want LoadCredential= or SetCredential= in the unit, which sets it; by hand: CREDENTIALS_DIRECTORY=DIRECTORY varta-watch check`,
      );
      // One fault, not two.
      expect(text).toContain("1 problem in");
    },
  );

  test.each(["", ".", "..", "../shadow", "a/b"])("is no path: %p is refused", async (name) => {
    using fixture = fixtureWith("given");
    expect(await problemsOf(fixture, listener(`${IN_CREDENTIALS}${name}`))).toContain(
      `found "${IN_CREDENTIALS}${name}", which names no file of that directory; want ${IN_CREDENTIALS}NAME`,
    );
  });

  test("cannot be named for a file that the daemon writes", async () => {
    using fixture = fixtureWith("given");
    const text = await problemsOf(fixture, `[audit]\nfile = "${IN_CREDENTIALS}log"\n`);
    expect(text).toContain("(not absolute); want the absolute path of the audit log");
  });
});
