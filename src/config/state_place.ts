// Where the state of a daemon is kept (spec 18 section 1).
import { join } from "node:path";
import type { Config } from "./config.ts";
import { firstUnixListener } from "./first_unix_listener.ts";

interface StatePlace {
  readonly path: string;
  /** The file names the path: a daemon that holds it stops the start. */
  readonly isNamed: boolean;
}

const IN_DIRECTORY = "state";
const BESIDE_SOCKET = ".state";

/** Undefined = nowhere: it is off, or there is no place for it. */
export function statePlace(
  { optionsAlone, state, listeners }: Config,
  env: Readonly<Record<string, string | undefined>>,
): StatePlace | undefined {
  if (optionsAlone || state.off) return undefined;
  if (state.file !== undefined) return { path: state.file, isNamed: true };
  const [managed = ""] = (env["STATE_DIRECTORY"] ?? "").split(":");
  if (managed.startsWith("/")) return { path: join(managed, IN_DIRECTORY), isNamed: false };
  const unix = firstUnixListener({ listeners });
  if (unix === undefined) return undefined;
  return { path: `${unix.path}${BESIDE_SOCKET}`, isNamed: false };
}
