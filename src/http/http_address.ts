// Where the HTTP server listens: an address and port, or a path (spec 13 section 1). What is bound
// listens already, so whoever comes before it is served waits in its queue.
import { close } from "../../ffi/socket.ts";
import { bindServer } from "../sockets/bind_server.ts";
import { listenTcp, listenUnix } from "../sockets/listening_socket.ts";
import { type BoundSocket, unlinkBoundPath } from "../sockets/socket_path.ts";

/**
 * Connections that the kernel keeps until they are accepted: a storm of them must not make it drop
 * a scraper's.
 */
const HTTP_BACKLOG = 512;

type HttpAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface HttpPlace {
  readonly listen: HttpAddress;
  /** Mode of a unix socket. */
  readonly socketMode: number;
}

export interface BoundHttp {
  readonly fd: number;
  /** "127.0.0.1:9469", "[::1]:9469" or "unix:/path". */
  readonly address: string;
  /** Undefined = it has no file. */
  readonly file: BoundSocket | undefined;
}

/**
 * Throws `SocketPathError` if the path, and `SystemError` if the TCP address cannot be used.
 * `leaving` = what is bound now and will be closed.
 */
export function bindHttp({ listen, socketMode }: HttpPlace, leaving?: BoundHttp): BoundHttp {
  if (listen.kind === "tcp") {
    const isTcp = leaving !== undefined && leaving.file === undefined;
    const { fd, port } = listenTcp(listen, HTTP_BACKLOG, isTcp ? [leaving.fd] : []);
    const host = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
    return { fd, address: `${host}:${port}`, file: undefined };
  }
  const { path } = listen;
  const { fd, bound } = bindServer({
    path,
    mode: socketMode,
    gid: undefined,
    setBy: "metrics.listen",
    listenAt: (at) => listenUnix(at, HTTP_BACKLOG),
  });
  return { fd, address: `unix:${path}`, file: bound };
}

/** Of a socket that no server has taken over. */
export function releaseHttp({ fd, file }: BoundHttp): void {
  close(fd);
  if (file !== undefined) unlinkBoundPath(file);
}
