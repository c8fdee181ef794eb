// What the installed unit of systemd says about the daemon's surroundings: its user, the
// directories that it makes before a start, and what it makes read-only. `check` needs it, because
// a start by the unit finds another machine than the person who runs `check` does. Reads the unit
// and its drop-ins itself: systemctl may not be there, and asks a manager that runs.
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";

export interface UnitSettings {
  /** "varta-watch.service", "varta-watch@edge.service" */
  readonly name: string;
  /** A name or number; "root" if the unit has no User=. */
  readonly user: string;
  /** Undefined = the primary group of the user. */
  readonly group: string | undefined;
  readonly supplementaryGroups: readonly string[];
  /** The user exists while the unit runs, and not now. */
  readonly dynamicUser: boolean;
  /** Directories that the unit makes for its user before the daemon starts. */
  readonly directories: readonly string[];
  /**
   * Undefined if the unit may write wherever its user may; else the only places, beside
   * `directories`.
   */
  readonly writablePaths: readonly string[] | undefined;
  /** CAP_... that the daemon starts with. */
  readonly capabilities: readonly string[];
  /** Names of the credentials that the unit hands over. */
  readonly credentials: readonly string[];
  /** The file that ExecStart= names; undefined = none. */
  readonly configFile: string | undefined;
  /** All keys of [Service], with the values that count. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
}

const UNIT_DIRECTORIES: readonly string[] = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];

const NAME = "varta-watch";

/** Each key of a unit that makes directories, and where it makes them. */
const MADE_BELOW: Readonly<Record<string, string>> = {
  RuntimeDirectory: "/run",
  StateDirectory: "/var/lib",
  LogsDirectory: "/var/log",
  CacheDirectory: "/var/cache",
};

const CREDENTIAL_KEYS: readonly string[] = [
  "LoadCredential",
  "LoadCredentialEncrypted",
  "SetCredential",
  "SetCredentialEncrypted",
];

/** Paths that no sandbox of a unit makes read-only, or that it makes its own. */
const ALWAYS_WRITABLE: readonly string[] = ["/dev", "/proc", "/sys", "/tmp", "/var/tmp"];

/**
 * The unit that reads `configFile`: varta-watch.service, or the instance of varta-watch@.service
 * that names this file. For a file that no unit names, as for a draft, it is varta-watch.service.
 * `directories` is for tests.
 */
export function findUnit(
  configFile: string | undefined,
  directories = UNIT_DIRECTORIES,
): UnitSettings | undefined {
  const main = readUnit([`${NAME}.service`], "", directories);
  if (configFile === undefined || main?.configFile === configFile) return main;
  const instance = basename(configFile, ".toml");
  const names = [`${NAME}@.service`, `${NAME}@${instance}.service`];
  const template = readUnit(names, instance, directories);
  return template?.configFile === configFile ? template : main;
}

/**
 * Whom the service manager runs another unit as, by the files of the unit: "worker@3.service" also
 * by those of its template. Undefined = there is no such unit.
 */
export function findUnitUser(
  name: string,
  directories = UNIT_DIRECTORIES,
): Pick<UnitSettings, "user" | "group" | "supplementaryGroups" | "dynamicUser"> | undefined {
  const [, base, instance = ""] = /^([^/@]+)@([^/]*)\.service$/.exec(name) ?? [];
  if (name.includes("/")) return undefined;
  const names = base === undefined ? [name] : [`${base}@.service`, name];
  return readUnit(names, instance, directories);
}

export function hasUnit(name: string, directories = UNIT_DIRECTORIES): boolean {
  return firstFile(name, directories) !== undefined;
}

/** The last of `names` is that of the unit; the ones before it are templates. */
function readUnit(
  names: readonly string[],
  instance: string,
  directories: readonly string[],
): UnitSettings | undefined {
  const files = names.flatMap((name) => firstFile(name, directories) ?? []).slice(-1);
  if (files.length === 0) return undefined;
  const keys = new Map<string, string[]>();
  for (const file of [...files, ...dropIns(names, directories)]) {
    for (const [key, value] of serviceKeys(textOf(file) ?? "")) {
      // An empty value takes back what was said before.
      if (value === "") keys.delete(key);
      else keys.set(key, [...(keys.get(key) ?? []), withInstance(value, instance)]);
    }
  }
  return settings(names.at(-1)!, keys);
}

function settings(name: string, keys: ReadonlyMap<string, readonly string[]>): UnitSettings {
  const last = (key: string) => keys.get(key)?.at(-1);
  const words = (key: string) => (keys.get(key) ?? []).flatMap((value) => value.split(/\s+/));
  const made = Object.entries(MADE_BELOW).flatMap(([key, below]) =>
    // "varta:link" makes a link beside the directory.
    words(key).map((path) => join(below, path.split(":")[0]!)),
  );
  const written = ["ReadWritePaths", "BindPaths"].flatMap((key) =>
    words(key).map(
      (path) =>
        path
          .replace(/^[-+]+/, "")
          .split(":")
          .at(-1)!,
    ),
  );
  const isReadOnly = last("ProtectSystem") === "strict";
  return {
    name,
    user: last("User") ?? "root",
    group: last("Group"),
    supplementaryGroups: words("SupplementaryGroups"),
    dynamicUser: isTrue(last("DynamicUser")),
    directories: made,
    writablePaths: isReadOnly ? [...written, ...ALWAYS_WRITABLE] : undefined,
    capabilities: words("AmbientCapabilities"),
    credentials: CREDENTIAL_KEYS.flatMap((key) =>
      (keys.get(key) ?? []).map((value) => value.split(":")[0]!),
    ),
    configFile: /(?:\s--config[=\s]|\s-c\s*)(\S+)/.exec(last("ExecStart") ?? "")?.[1],
    keys,
  };
}

/** The unit file of this name that counts; a masked unit has none. */
function firstFile(name: string, directories: readonly string[]): string | undefined {
  for (const directory of directories) {
    const file = join(directory, name);
    const real = realPathOf(file);
    if (real !== undefined) return real === "/dev/null" ? undefined : file;
  }
  return undefined;
}

/** NAME.service.d/*.conf in the order in which they are applied. */
function dropIns(names: readonly string[], directories: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const name of names) {
    for (const directory of directories) {
      for (const file of namesIn(join(directory, `${name}.d`))) {
        if (!file.endsWith(".conf") || byName.has(file)) continue;
        byName.set(file, join(directory, `${name}.d`, file));
      }
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** The assignments of [Service], in order. */
function serviceKeys(text: string): [string, string][] {
  const found: [string, string][] = [];
  let section = "";
  for (const line of text.replace(/\\\n/g, " ").split("\n")) {
    const trimmed = line.trim();
    if (trimmed.startsWith("[")) section = trimmed;
    const end = trimmed.indexOf("=");
    if (section !== "[Service]" || end === -1 || /^[#;]/.test(trimmed)) continue;
    found.push([trimmed.slice(0, end).trim(), trimmed.slice(end + 1).trim()]);
  }
  return found;
}

function withInstance(value: string, instance: string): string {
  return value.replace(/%([iI%])/g, (_, letter) => (letter === "%" ? "%" : instance));
}

function isTrue(value: string | undefined): boolean {
  return ["yes", "true", "on", "1"].includes(value ?? "");
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
