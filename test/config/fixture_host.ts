// A temporary /etc/varta for tests: configuration files are written into it with the path
// "/etc/varta" replaced by its own, and messages are turned back, so that expected texts read like
// the real thing.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import type { GivenOption, Host, LoadResult } from "../../src/config/load_result.ts";

const ACCOUNTS = join(import.meta.dir, "../fixtures/config/accounts");

export const KEY = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

export class FixtureHost implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "varta-"));
  readonly host: Host;

  constructor(changes: Partial<Host> = {}) {
    this.host = {
      uid: process.getuid!(),
      platform: "linux",
      cwd: this.directory,
      env: {},
      defaultConfigFile: join(this.directory, "default.toml"),
      passwdFile: join(this.directory, "passwd"),
      groupFile: join(this.directory, "group"),
      // Every program and directory is there but those that say otherwise: no test depends on what
      // this machine has.
      programFault: absentFault,
      directoryFault: absentFault,
      ...changes,
    };
    for (const name of ["passwd", "group"]) {
      copyFileSync(join(ACCOUNTS, name), join(this.directory, name));
    }
  }

  /** Writes `name` with mode 0600 (or `mode`) and returns its path. */
  write(name: string, content: string | Buffer, mode = 0o600): string {
    const path = join(this.directory, name);
    // Byte for byte, because some files are no UTF-8.
    const bytes = typeof content === "string" ? content : content.toString("latin1");
    const encoding = typeof content === "string" ? "utf8" : "latin1";
    writeFileSync(path, bytes.replaceAll("/etc/varta", this.directory), encoding);
    chmodSync(path, mode);
    return path;
  }

  /** The secret files that the fixtures speak of. */
  writeSecrets(): void {
    const keys = Array.from({ length: 8 }, (_, index) => String(index).repeat(64));
    this.write("agents.key", KEY, 0o644);
    this.write("good.key", `${KEY}\n`);
    this.write("short.key", "0011");
    this.write("empty.key", " \n");
    this.write("large.key", "a".repeat(64 * 1024 + 1));
    this.write("bad_line.keys", `# first\n${KEY}\n\nnot-a-key\n`);
    this.write("repeated.keys", `${keys[1]}\n${KEY.toLowerCase()} # again\n`);
    this.write("eight.keys", keys.join("\n"));
    this.write("comments.keys", "# nothing here\n\n");
    this.write("command", "/usr/bin/systemctl restart app\n");
    this.write("placeholder_command", "/usr/bin/notify --agent={name}\n");
    symlinkSync("/dev/null", join(this.directory, "symlink.key"));
    mkdirSync(join(this.directory, "directory.key"), { mode: 0o700 });
  }

  /** Loads `text` as /etc/varta/varta.toml. */
  async load(
    text: string | Buffer,
    options: Readonly<Record<string, string>> = {},
  ): Promise<LoadResult> {
    const configFile = this.write("varta.toml", text);
    return await loadConfig({ configFile, given: givenOptions(options), host: this.host });
  }

  /** Loads without --config. */
  async loadOptions(options: Readonly<Record<string, string>>): Promise<LoadResult> {
    const given = givenOptions(options);
    return await loadConfig({ configFile: undefined, given, host: this.host });
  }

  /** `text` with the temporary directory called /etc/varta. */
  plain(text: string): string {
    return text.replaceAll(this.directory, "/etc/varta");
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

function absentFault(path: string): string | undefined {
  return path.includes("absent") ? "which does not exist" : undefined;
}

export function givenOptions(options: Readonly<Record<string, string>>): GivenOption[] {
  return Object.entries(options).map(([name, value]) => ({ name, value }));
}
