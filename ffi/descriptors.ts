// Descriptors that come from another process or go to one: the service manager hands over sockets
// and keeps some (spec 05 section 9). Functions return a non-negative result or -errno.
import { ptr } from "bun:ffi";
import { assert } from "../src/base/assert.ts";
import {
  AF_UNIX,
  ENOSYS,
  FD_CLOEXEC,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  SCM_RIGHTS,
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_TYPE,
  SOL_SOCKET,
} from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { CMSGHDR, IOVEC, MSGHDR, SOCKADDR_UN } from "./layout.ts";
import { libc, libcLinux } from "./libc.ts";
import { getSocketOption, type SocketAddress } from "./socket.ts";

const CONTROL_LEN = CMSGHDR.data + 4;
const CONTROL_SPACE = Math.ceil(CONTROL_LEN / 8) * 8;
const TEXT_BYTES_MAX = 1_024;

// One message for all: its parts lie in one buffer that lives as long as the program, since an
// address that only stands in a struct keeps nothing alive.
const IOV_AT = MSGHDR.size;
const CONTROL_AT = IOV_AT + IOVEC.size;
const NAME_AT = CONTROL_AT + CONTROL_SPACE;
const TEXT_AT = NAME_AT + Math.ceil(SOCKADDR_UN.size / 8) * 8;
const message = new ArrayBuffer(TEXT_AT + TEXT_BYTES_MAX);
const messageBytes = new Uint8Array(message);
const messageView = new DataView(message);
const messageAddress = ptr(message);

const nameBuffer = new ArrayBuffer(SOCKADDR_UN.size + 6);
const nameBytes = new Uint8Array(nameBuffer);
const NAME_LENGTH_AT = SOCKADDR_UN.size + 2;
const nameLength = new Uint32Array(nameBuffer, NAME_LENGTH_AT, 1);
const nameAddress = ptr(nameBuffer);
const nameLengthAddress = ptr(nameBuffer, NAME_LENGTH_AT);

/**
 * Sends one datagram to `address` without blocking, with a copy of the descriptor `passed`; bytes
 * sent or -errno. Linux only.
 */
export function sendDescriptor(
  fd: number,
  text: Uint8Array,
  { address, passed }: { readonly address: SocketAddress; readonly passed: number },
): number {
  if (libcLinux === null) return -ENOSYS;
  assert(text.length <= TEXT_BYTES_MAX, "a message to the service manager is short");
  assert(address.bytes.length <= SOCKADDR_UN.size, "it goes to a Unix socket");
  messageBytes.fill(0);
  messageBytes.set(text, TEXT_AT);
  messageBytes.set(address.bytes, NAME_AT);
  putAddress(MSGHDR.msg_name, NAME_AT);
  messageView.setUint32(MSGHDR.msg_namelen, address.bytes.length, true);
  putAddress(MSGHDR.msg_iov, IOV_AT);
  messageView.setUint32(MSGHDR.msg_iovlen, 1, true);
  putAddress(MSGHDR.msg_control, CONTROL_AT);
  messageView.setUint32(MSGHDR.msg_controllen, CONTROL_SPACE, true);
  putAddress(IOV_AT + IOVEC.iov_base, TEXT_AT);
  messageView.setUint32(IOV_AT + IOVEC.iov_len, text.length, true);
  messageView.setUint32(CONTROL_AT + CMSGHDR.cmsg_len, CONTROL_LEN, true);
  messageView.setInt32(CONTROL_AT + CMSGHDR.cmsg_level, SOL_SOCKET, true);
  messageView.setInt32(CONTROL_AT + CMSGHDR.cmsg_type, SCM_RIGHTS, true);
  messageView.setInt32(CONTROL_AT + CMSGHDR.data, passed, true);
  return resultOrErrno(libcLinux.sendmsg(fd, messageAddress, MSG_DONTWAIT | MSG_NOSIGNAL));
}

function putAddress(at: number, target: number): void {
  messageView.setBigUint64(at, BigInt(Number(messageAddress) + target), true);
}

/**
 * Makes a descriptor that was handed over close-on-exec and non-blocking: the runtime leaves
 * number 3 as it is, and the service manager hands over sockets that block. 0 or -errno.
 */
export function adoptDescriptor(fd: number): number {
  const result = libc.fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (result < 0) return resultOrErrno(result);
  return resultOrErrno(libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) | O_NONBLOCK));
}

export interface SocketFacts {
  readonly family: number;
  /** SOCK_DGRAM or SOCK_STREAM. */
  readonly type: number;
  readonly isListening: boolean;
  /** Where it was bound, of a Unix socket; "" = nowhere, or at no path. */
  readonly path: string;
  /** Where it was bound, as the kernel writes it. */
  readonly address: Uint8Array;
}

/** Undefined = it is no socket. Linux only. */
export function socketFacts(fd: number): SocketFacts | undefined {
  const family = getSocketOption(fd, SO_DOMAIN);
  const type = getSocketOption(fd, SO_TYPE);
  if (family < 0 || type < 0) return undefined;
  const isListening = getSocketOption(fd, SO_ACCEPTCONN) === 1;
  const address = addressOf(fd);
  const path = family === AF_UNIX ? unixPathIn(address) : "";
  return { family, type, isListening, path, address };
}

function addressOf(fd: number): Uint8Array {
  nameBytes.fill(0);
  nameLength[0] = SOCKADDR_UN.size;
  if (libc.getsockname(fd, nameAddress, nameLengthAddress) < 0) return new Uint8Array();
  return nameBytes.slice(0, Math.min(SOCKADDR_UN.size, nameLength[0]!));
}

function unixPathIn(address: Uint8Array): string {
  const bytes = address.subarray(SOCKADDR_UN.sun_path);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
