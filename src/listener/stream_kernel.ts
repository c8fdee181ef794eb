// What a stream listener asks the kernel for, apart from its listening socket. The simulator has a
// kernel of its own, with connections that it cuts where it likes.
import { type PeerCredentials, peerCredentials, peerPidfd } from "../../ffi/peer.ts";
import { pidfdOpen } from "../../ffi/pidfd.ts";
import { EpollReadiness, type Readiness } from "../../ffi/readiness.ts";
import { close } from "../../ffi/socket.ts";
import { accept, shutdownRead, unreadBytes } from "../../ffi/stream.ts";
import { StreamArena } from "../../ffi/stream_arena.ts";
import { BATCH_SIZE } from "../base/limits.ts";

/** Where frames are read into, and what the kernel says of each read. */
export type FrameReader = Pick<
  StreamArena,
  | "words"
  | "bytes"
  | "controlWord"
  | "controlTypeWord"
  | "controlDataWord"
  | "controlBytes"
  | "flags"
  | "read"
>;

export interface StreamKernel {
  openReadiness(): Readiness;
  openReader(): FrameReader;
  accept(fd: number): number;
  peerCredentials(fd: number): PeerCredentials | undefined;
  peerPidfd(fd: number): number;
  pidfdOpen(pid: number): number;
  unreadBytes(fd: number): number;
  shutdownRead(fd: number): number;
  close(fd: number): void;
}

export const LINUX_STREAMS: StreamKernel = {
  openReadiness: () => new EpollReadiness(BATCH_SIZE),
  openReader: () => new StreamArena(),
  accept,
  peerCredentials,
  peerPidfd,
  pidfdOpen,
  unreadBytes,
  shutdownRead,
  close,
};
