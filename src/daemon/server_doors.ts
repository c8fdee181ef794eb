// Where the servers of the daemon listen, and the words for a place that cannot be bound: a
// `StartError`, at the start as at a reload.
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { firstUnixListener } from "../config/first_unix_listener.ts";
import { listenText } from "../config/keys/address.ts";
import type { HttpPlace } from "../http/http_address.ts";
import { SocketPathError } from "../sockets/socket_path.ts";
import { errorText, StartError } from "./start_error.ts";

interface ControlDoor {
  readonly path: string;
  /** The file names the path: it must be bound. */
  readonly isNamed: boolean;
}

/** Where the control socket is; undefined = nowhere. */
export function controlDoor({ control, listeners }: Config): ControlDoor | undefined {
  if (control.path !== undefined) return { path: control.path, isNamed: true };
  const unix = firstUnixListener({ listeners });
  if (unix === undefined) return undefined;
  return { path: join(dirname(unix.path), "control.sock"), isNamed: false };
}

/** What `bind` makes at the path of the control socket. */
export function atControlPath<Bound>(path: string, bind: () => Bound): Bound {
  try {
    return bind();
  } catch (error) {
    if (error instanceof SocketPathError) throw new StartError(error.message, error.hint);
    throw new StartError(
      `cannot open the control socket ${path}: ${errorText(error)}`,
      "see ulimit -n",
    );
  }
}

/** What `bind` makes at the address of the metrics page. */
export function atMetricsAddress<Bound>(listen: HttpPlace["listen"], bind: () => Bound): Bound {
  try {
    return bind();
  } catch (error) {
    if (error instanceof SocketPathError) throw new StartError(error.message, error.hint);
    throw new StartError(
      `cannot serve metrics on ${listenText(listen)}: ${errorText(error)}`,
      metricsHint(codeOf(error)),
    );
  }
}

/** "EADDRINUSE" */
export function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}

/** What helps against the error of the system with which the metrics page was not bound. */
export function metricsHint(code: string): string {
  switch (code) {
    case "EADDRINUSE":
      return "see who has the port (ss -ltnp), or set metrics.listen; port 0 takes a free one";
    case "EACCES":
      return "set metrics.listen to a port from 1024 on, or give the daemon CAP_NET_BIND_SERVICE";
    case "EMFILE":
    case "ENFILE":
      return "the daemon has no file descriptor left: raise LimitNOFILE= or ulimit -n";
    default:
      return "set metrics.listen to an address of this machine, such as 127.0.0.1:9469";
  }
}
