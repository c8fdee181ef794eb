// What "varta-watch exec --name" says for its command (spec 16 section 16): hello just before the
// command takes its place, as this process has its pid and begins when it does, and bye if it could
// not be started. Nothing waits for the daemon, and nothing of it keeps the command from starting.
import { AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { close, connect, openSocket, send, unixAddress } from "../../ffi/socket.ts";
import { SOCKET_PATH_BYTES_MAX } from "../base/limits.ts";
import { ANNOUNCED_NAME_BYTES, isAnnouncedName } from "../wire/announced_name.ts";
import { encodeControl } from "../wire/control_datagram.ts";
import type { Doors } from "./exec_environment.ts";

/** A hello with number 1 is always taken, whatever had this pid before. */
const NONCE_OF_HELLO = 1n;
const NONCE_OF_BYE = 2n;

/** Undefined = it is said; else why not. */
export function sayHello(doors: Doors, pid: number, name: string): string | undefined {
  const bytes = new TextEncoder().encode(name);
  if (!isAnnouncedName(bytes, 0, bytes.length))
    return `--name: found ${JSON.stringify(name)}; want 1 to ${ANNOUNCED_NAME_BYTES} letters, digits, "_", ".", "@", ":" or "-", not digits alone and not "other"`;
  return say(
    doors,
    encodeControl({ kind: "hello", pid, nonce: NONCE_OF_HELLO, intervalMs: 0, name }),
  );
}

export function sayBye(doors: Doors, pid: number): void {
  say(doors, encodeControl({ kind: "bye", pid, nonce: NONCE_OF_BYE }));
}

function say({ socket, stream }: Doors, bytes: Uint8Array): string | undefined {
  const path = socket ?? stream;
  if (path === undefined) return undefined;
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) return `the path ${path} is too long`;
  const fd = openSocket(AF_UNIX, socket === undefined ? SOCK_STREAM : SOCK_DGRAM);
  if (fd < 0) return errnoText(-fd);
  const connected = connect(fd, unixAddress(path));
  const result = connected < 0 ? connected : send(fd, bytes);
  close(fd);
  return result < 0 ? `${path}: ${errnoText(-result)}` : undefined;
}
