// Struct layouts as offset tables under the C declaration that they mirror (64-bit Linux and
// darwin). They are asserted at load and compared with the C compiler in test/ffi/layout.test.ts
// where one exists. No literal offset elsewhere.
import { assert } from "../src/base/assert.ts";
import { IS_DARWIN } from "./constants.ts";

/** struct iovec { void *iov_base; size_t iov_len; } */
export const IOVEC = { iov_base: 0, iov_len: 8, size: 16 } as const;

/**
 * struct msghdr: msg_iovlen and msg_controllen are size_t on Linux, int and socklen_t on darwin.
 */
export const MSGHDR = IS_DARWIN
  ? ({
      msg_name: 0,
      msg_namelen: 8,
      msg_iov: 16,
      msg_iovlen: 24,
      msg_control: 32,
      msg_controllen: 40,
      msg_flags: 44,
      size: 48,
    } as const)
  : ({
      msg_name: 0,
      msg_namelen: 8,
      msg_iov: 16,
      msg_iovlen: 24,
      msg_control: 32,
      msg_controllen: 40,
      msg_flags: 48,
      size: 56,
    } as const);

/**
 * struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; } Linux only; darwin uses the same
 * arena.
 */
export const MMSGHDR = { msg_hdr: 0, msg_len: 56, size: 64 } as const;

/** struct cmsghdr: cmsg_len is size_t on Linux, socklen_t on darwin. */
export const CMSGHDR = IS_DARWIN
  ? ({ cmsg_len: 0, cmsg_level: 4, cmsg_type: 8, data: 12, size: 12 } as const)
  : ({ cmsg_len: 0, cmsg_level: 8, cmsg_type: 12, data: 16, size: 16 } as const);

/** struct ucred { pid_t pid; uid_t uid; gid_t gid; } Linux only. */
export const UCRED = { pid: 0, uid: 4, gid: 8, size: 12 } as const;

/** CMSG_LEN(sizeof(struct ucred)) and CMSG_SPACE of it on Linux. */
export const UCRED_CMSG_LEN = 28;
export const UCRED_CMSG_SPACE = 32;

/** CMSG_LEN(sizeof(int)) and CMSG_SPACE of it on Linux: what carries a pidfd. */
export const PIDFD_CMSG_LEN = 20;
export const PIDFD_CMSG_SPACE = 24;

/** struct sockaddr_un: darwin has sun_len before an 8-bit sun_family. */
export const SOCKADDR_UN = IS_DARWIN
  ? ({ sun_family: 1, sun_path: 2, pathBytes: 104, size: 106 } as const)
  : ({ sun_family: 0, sun_path: 2, pathBytes: 108, size: 110 } as const);

/** struct sockaddr_in; ports and addresses in network byte order. */
export const SOCKADDR_IN = {
  sin_family: IS_DARWIN ? 1 : 0,
  sin_port: 2,
  sin_addr: 4,
  size: 16,
} as const;

/** struct sockaddr_in6 */
export const SOCKADDR_IN6 = {
  sin6_family: IS_DARWIN ? 1 : 0,
  sin6_port: 2,
  sin6_flowinfo: 4,
  sin6_addr: 8,
  sin6_scope_id: 24,
  size: 28,
} as const;

/** struct pollfd { int fd; short events; short revents; } */
export const POLLFD = { fd: 0, events: 4, revents: 6, size: 8 } as const;

/** struct sock_filter { __u16 code; __u8 jt; __u8 jf; __u32 k; } Linux only. */
export const SOCK_FILTER = { code: 0, jt: 2, jf: 3, k: 4, size: 8 } as const;

/** struct sock_fprog { unsigned short len; struct sock_filter *filter; } Linux only. */
export const SOCK_FPROG = { len: 0, filter: 8, size: 16 } as const;

/** struct epoll_event { uint32_t events; epoll_data_t data; }, packed on x64. Linux only. */
export const EPOLL_EVENT =
  process.arch === "x64"
    ? ({ events: 0, data: 4, size: 12 } as const)
    : ({ events: 0, data: 8, size: 16 } as const);

/**
 * struct pidfd_info of Linux 6.13 in its first version, of which the kernel fills no more than we
 * have room for. Linux only.
 */
export const PIDFD_INFO = { mask: 0, exit_code: 60, size: 64 } as const;

/** struct watchdog_info { __u32 options, firmware_version; __u8 identity[32]; }. Linux only. */
export const WATCHDOG_INFO = { options: 0, firmware_version: 4, identity: 8, size: 40 } as const;

/** struct timespec { time_t tv_sec; long tv_nsec; } */
export const TIMESPEC = { tv_sec: 0, tv_nsec: 8, size: 16 } as const;

/**
 * struct itimerval { struct timeval it_interval, it_value; }: tv_usec is 4 bytes and padding on
 * darwin.
 */
export const ITIMERVAL = {
  it_interval_sec: 0,
  it_interval_usec: 8,
  it_value_sec: 16,
  it_value_usec: 24,
  size: 32,
} as const;

/** siginfo_t of Linux, for a child that has ended. */
export const SIGINFO = { si_pid: 16, size: 128 } as const;

/** struct sigaction of the C library, which is not the kernel's. */
export const SIGACTION = IS_DARWIN
  ? ({ sa_handler: 0, size: 16 } as const)
  : ({ sa_handler: 0, size: 152 } as const);

/** sigset_t of the C library. */
export const SIGSET = IS_DARWIN ? ({ size: 4 } as const) : ({ size: 128 } as const);

/** struct rlimit { rlim_t rlim_cur, rlim_max; } */
export const RLIMIT = { rlim_cur: 0, rlim_max: 8, size: 16 } as const;

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, "the layouts are little-endian");
assert(CMSGHDR.data === CMSGHDR.size, "control data follows its header");
assert(IS_DARWIN || CMSGHDR.data + UCRED.size === UCRED_CMSG_LEN, "CMSG_LEN of one ucred");
assert(UCRED_CMSG_SPACE === Math.ceil(UCRED_CMSG_LEN / 8) * 8, "CMSG_SPACE of one ucred");
assert(PIDFD_CMSG_SPACE === Math.ceil(PIDFD_CMSG_LEN / 8) * 8, "CMSG_SPACE of one descriptor");
assert(MMSGHDR.msg_len >= MSGHDR.size, "msg_len follows the message header");
assert(SOCKADDR_IN.sin_port === SOCKADDR_IN6.sin6_port, "one reader serves both kinds of port");
assert(
  SOCKADDR_UN.sun_path + SOCKADDR_UN.pathBytes === SOCKADDR_UN.size,
  "sun_path ends sockaddr_un",
);
