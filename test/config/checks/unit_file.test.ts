// What the daemon's unit says, read from files as systemd would read them.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findUnit } from "../../../src/config/checks/unit_file.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

const SHIPPED = join(import.meta.dir, "../../../packaging/systemd");

function directories(files: Readonly<Record<string, string>>, root: string): string[] {
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return [join(root, "etc"), join(root, "usr")];
}

describe("findUnit()", () => {
  test("finds nothing where no unit is installed", () => {
    using root = new TemporaryDirectory();
    expect(findUnit("/etc/varta/varta.toml", [root.path])).toBeUndefined();
  });

  test("reads the unit that the package installs", () => {
    const unit = findUnit("/etc/varta/varta.toml", [SHIPPED])!;
    expect(unit).toMatchObject({
      name: "varta-watch.service",
      user: "varta",
      group: "varta",
      dynamicUser: false,
      directories: ["/run/varta", "/var/lib/varta", "/var/log/varta"],
      capabilities: ["CAP_SYS_PTRACE"],
      configFile: "/etc/varta/varta.toml",
    });
    expect(unit.writablePaths).toContain("/tmp");
  });

  test("takes the instance whose file it is, and the plain unit for a draft", () => {
    const edge = findUnit("/etc/varta/edge.toml", [SHIPPED])!;
    expect(edge.name).toBe("varta-watch@edge.service");
    expect(edge.directories).toEqual([
      "/run/varta-edge",
      "/var/lib/varta/edge",
      "/var/log/varta/edge",
    ]);
    expect(findUnit("/root/draft.toml", [SHIPPED])!.name).toBe("varta-watch.service");
  });

  test("applies drop-ins in the order of their names, the first directory first", () => {
    using root = new TemporaryDirectory();
    const shipped = readFileSync(join(SHIPPED, "varta-watch.service"), "utf8");
    const places = directories(
      {
        "usr/varta-watch.service": shipped,
        "usr/varta-watch.service.d/10-user.conf": "[Service]\nUser=nobody\n",
        "etc/varta-watch.service.d/10-user.conf": "[Service]\nUser=root\nGroup=\n",
        "etc/varta-watch.service.d/20-more.conf":
          "[Unit]\nUser=x\n[Service]\n# User=y\nRuntimeDirectory=\nRuntimeDirectory=a \\\n  b:c\n" +
          "ReadWritePaths=-/srv/audit\nSupplementaryGroups=adm\nDynamicUser=yes\n",
        "etc/varta-watch.service.d/30-not.txt": "[Service]\nUser=z\n",
      },
      root.path,
    );
    expect(findUnit(undefined, places)).toMatchObject({
      user: "root",
      group: undefined,
      supplementaryGroups: ["adm"],
      dynamicUser: true,
      directories: ["/run/a", "/run/b", "/var/lib/varta", "/var/log/varta"],
      writablePaths: expect.arrayContaining(["/srv/audit"]),
    });
  });

  test("an overridden unit replaces the shipped one, and a masked unit is none", () => {
    using root = new TemporaryDirectory();
    const places = directories(
      { "usr/varta-watch.service": "[Service]\nUser=varta\n", "etc/x": "" },
      root.path,
    );
    expect(findUnit(undefined, places)?.user).toBe("varta");
    const own = join(root.path, "etc/varta-watch.service");
    writeFileSync(own, "[Service]\nExecStart=/usr/bin/varta-watch -c /srv/v.toml\n");
    expect(findUnit(undefined, places)).toMatchObject({
      user: "root",
      writablePaths: undefined,
      configFile: "/srv/v.toml",
    });
    symlinkSync("/dev/null", join(root.path, "masked.service"));
    using masked = new TemporaryDirectory();
    symlinkSync("/dev/null", masked.at("varta-watch.service"));
    expect(findUnit(undefined, [masked.path, ...places])).toBeUndefined();
  });
});
