// Where the socket is when no path is given (spec 07 section 1). A pure decision: nothing is
// created here. Agents and the daemon use the same rule, so that a beat without a path finds a
// daemon without a file.
import type { RuntimeDirectory } from "./load_result.ts";

interface DefaultSocket {
  readonly path: string;
  /** The directory to create if it is missing. */
  readonly directory: RuntimeDirectory;
}

/** The default socket path of user `uid` with environment `env`. */
export function defaultSocket(
  uid: number,
  env: Readonly<Record<string, string | undefined>>,
  platform: string = process.platform,
): DefaultSocket {
  const directory = runtimeDirectory(uid, env, platform);
  return { path: `${directory.path}/varta.sock`, directory };
}

/** Where a unix-stream listener is by custom, beside it. */
export function defaultStream(
  uid: number,
  env: Readonly<Record<string, string | undefined>>,
  platform: string = process.platform,
): string {
  return `${runtimeDirectory(uid, env, platform).path}/stream.sock`;
}

function runtimeDirectory(
  uid: number,
  env: Readonly<Record<string, string | undefined>>,
  platform: string,
): RuntimeDirectory {
  // macOS has no /run; its /var/run is emptied at boot, too.
  if (uid === 0) return { path: `${platform === "darwin" ? "/var" : ""}/run/varta`, mode: 0o755 };
  const runtime = absolute(env["XDG_RUNTIME_DIR"]);
  if (runtime !== undefined) return { path: `${runtime}/varta`, mode: 0o700 };
  const temporary = absolute(env["TMPDIR"]) ?? "/tmp";
  return { path: `${temporary}/varta-${uid}`, mode: 0o700 };
}

/**
 * The directory without trailing slashes; a relative one is ignored, as the XDG specification asks.
 */
function absolute(path: string | undefined): string | undefined {
  if (path === undefined || !path.startsWith("/")) return undefined;
  return path.replace(/\/+$/, "");
}
