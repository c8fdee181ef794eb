// Where the daemon of a configuration file has its control socket and its state, for a command that
// finds it down (spec 16 section 13). The file is only parsed, with the rights of who asks: what is
// wrong in it otherwise is for `check`.
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemHost } from "../config/load.ts";
import { readTomlDocument, type TomlTree } from "../config/toml_document.ts";

interface ConfiguredPlaces {
  readonly file: string;
  /** Why it cannot be read, "found X"; "" = it can. */
  readonly unread: string;
  readonly control: string | undefined;
  readonly state: string | undefined;
}

/** Of `configFile`, else of the file at the default place; undefined = there is none. */
export function configuredPlaces(
  configFile: string | undefined,
  defaultFile = systemHost().defaultConfigFile,
): ConfiguredPlaces | undefined {
  const file = configFile ?? defaultFile;
  if (configFile === undefined && isMissing(file)) return undefined;
  const document = readTomlDocument(file);
  const nothing = { file, control: undefined, state: undefined };
  if (!document.ok) return { ...nothing, unread: `found ${document.found}` };
  const { tree } = document;
  const socket = firstUnixSocket(tree);
  return {
    file,
    unread: "",
    control: pathIn(tree["control"], "path") ?? (socket && join(dirname(socket), "control.sock")),
    state: isOff(tree["state"])
      ? undefined
      : (pathIn(tree["state"], "file") ?? (socket && `${socket}.state`)),
  };
}

/** A directory that hides it is no proof that there is none. */
function isMissing(file: string): boolean {
  try {
    statSync(file);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function isOff(state: unknown): boolean {
  return state === "off" || (isTable(state) && state["off"] === true);
}

function firstUnixSocket(tree: TomlTree): string | undefined {
  const listeners = Array.isArray(tree["listener"]) ? tree["listener"] : [];
  const unix = listeners.find((one) => isTable(one) && one["kind"] === "unix");
  return pathIn(unix, "path");
}

function pathIn(table: unknown, key: string): string | undefined {
  const value = isTable(table) ? table[key] : undefined;
  return typeof value === "string" && value.startsWith("/") ? value : undefined;
}

function isTable(value: unknown): value is TomlTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
