// The observer as a library: heartbeats in, events and stalls out, in any Bun program.
//
//   import { bind } from "varta-watch/observer";
//   const observer = bind("/run/my-service/beats.sock", { thresholdNs: 5e9 });
//   const event = observer.poll();        // undefined = nothing has come
//   const stall = observer.pollPending(); // undefined = no agent fell silent
//
// docs/observer.md has the rules and a whole program. Importing this module opens nothing, but it
// throws `PlatformError` where the C library cannot be called (bun:ffi needs the JIT).
export { PlatformError } from "../../ffi/libc.ts";
export { SystemError } from "../../ffi/errno.ts";
export type { Event, StallEvent } from "../events/event.ts";
export { SocketPathError } from "../sockets/socket_path.ts";
export type { Listener, ListenerKind } from "../listener/listener.ts";
export { UdpListener, type UdpListenerOptions } from "../listener/udp.ts";
export { UdpSocketError } from "../listener/udp_socket.ts";
export { UnixListener, type UnixListenerOptions } from "../listener/unix.ts";
export {
  FRESH_AGENT_RESUMED,
  FRESH_BEATS_REFUSED,
  FRESH_PID_RECYCLED,
  FRESH_UNVERIFIABLE_GENERATION,
  FRESH_WARRANTED,
} from "../tracker/tracker.ts";
export type { ClockSource } from "./clock.ts";
export {
  bind,
  type BindOptions,
  fromListener,
  type LibraryObserver as Observer,
  type LibraryOptions,
} from "./library.ts";
