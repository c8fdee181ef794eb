// Kernel constants in their C spelling, Linux and darwin side by side. Error numbers come from the
// runtime, which knows them for the platform that it runs on.
import { constants } from "node:os";

export const IS_LINUX = process.platform === "linux";
export const IS_DARWIN = process.platform === "darwin";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = IS_DARWIN ? 30 : 10;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
/** Linux sets these at creation; darwin needs fcntl afterwards. */
export const SOCK_NONBLOCK = IS_LINUX ? 0o4000 : 0;
export const SOCK_CLOEXEC = IS_LINUX ? 0o2000000 : 0;

export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
/** Linux alone has it. */
export const TCP_USER_TIMEOUT = 18;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = IS_DARWIN ? 27 : 26;

export const SOL_SOCKET = IS_DARWIN ? 0xffff : 1;
export const SO_REUSEADDR = IS_DARWIN ? 4 : 2;
export const SO_REUSEPORT = IS_DARWIN ? 0x200 : 15;
export const SO_SNDBUF = IS_DARWIN ? 0x1001 : 7;
export const SO_RCVBUF = IS_DARWIN ? 0x1002 : 8;
/** Linux only: what kind of socket it is, for one that another process made. */
export const SO_TYPE = 3;
export const SO_ACCEPTCONN = 30;
export const SO_DOMAIN = 39;
/** Linux only. */
export const SO_PASSCRED = 16;
/** Linux only: who is at the other end of a connected Unix socket, and its groups. */
export const SO_PEERCRED = 17;
export const SO_PEERGROUPS = 59;
/** Linux 6.5: a pidfd of the process that connected, also when it has ended. */
export const SO_PEERPIDFD = 77;
/** Linux only: a classic BPF program that sees each datagram before it is queued. */
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
/** Linux 6.5: a pidfd of the sender with every datagram that is received while it is on. */
export const SO_PASSPIDFD = 76;
/** Linux 6.16: whether datagrams with descriptors are taken at all; on by default. */
export const SO_PASSRIGHTS = 83;
/**
 * Linux only: the memory counters of a socket, SK_MEMINFO_VARS words of which one counts lost
 * datagrams.
 */
export const SO_MEMINFO = 55;
export const SK_MEMINFO_DROPS = 8;
export const SK_MEMINFO_VARS = 9;
export const SCM_RIGHTS = 1;
/** Linux only. */
export const SCM_CREDENTIALS = 2;
/** Linux only. */
export const SCM_PIDFD = 4;

export const MSG_DONTWAIT = IS_DARWIN ? 0x80 : 0x40;
export const MSG_TRUNC = IS_DARWIN ? 0x10 : 0x20;
export const MSG_CTRUNC = IS_DARWIN ? 0x20 : 0x08;
/** Linux only. */
export const MSG_CMSG_CLOEXEC = 0x4000_0000;
/** darwin raises SIGPIPE by socket option instead; a datagram socket raises none. */
export const MSG_NOSIGNAL = IS_DARWIN ? 0 : 0x4000;

export const SHUT_RD = 0;
export const SHUT_WR = 1;

export const F_DUPFD_CLOEXEC = IS_DARWIN ? 67 : 1030;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const FD_CLOEXEC = 1;
export const O_NONBLOCK = IS_DARWIN ? 0x4 : 0o4000;

/** Linux only: an open directory that need not be readable. */
export const O_PATH = 0o10000000;

export const POLLIN = 0x001;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
export const POLLNVAL = 0x020;

/** Linux only. Its events have the numbers of POLLIN, POLLOUT, POLLERR and POLLHUP. */
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;

export const LOCK_EX = 2;
export const LOCK_NB = 4;

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = IS_DARWIN ? 6 : 1;
export const CLOCK_MONOTONIC_RAW = 4;
/** Linux only. */
export const CLOCK_BOOTTIME = 7;

export const ITIMER_REAL = 0;

export const SIG_SETMASK = IS_DARWIN ? 3 : 2;
/** Handlers that are numbers: the default action, and none. */
export const SIG_DFL = 0;
export const SIG_IGN = 1;
/** One more than the highest signal number. */
export const NSIG = IS_DARWIN ? 32 : 65;

export const RLIMIT_NOFILE = IS_DARWIN ? 8 : 7;

/**
 * Linux only; the same numbers on every architecture, since they came after the tables were joined.
 */
export const SYS_pidfd_send_signal = 424;
export const SYS_pidfd_open = 434;

/**
 * Linux 6.15: asked of a pidfd, the wait status of its process; in the answer, that it is there.
 */
export const PIDFD_INFO_EXIT = 8;

/**
 * Linux only: forget the pages of a mapping; those of a file are read again when they are touched.
 */
export const MADV_DONTNEED = 4;

/** Linux only: how many bytes wait to be read; also called SIOCINQ. */
export const FIONREAD = 0x541b;

/** Linux only: what a watchdog device is asked, as _IOR and _IOWR pack it. */
export const WDIOC_GETSUPPORT = 0x8028_5700;
export const WDIOC_SETTIMEOUT = 0xc004_5706;
export const WDIOC_GETTIMEOUT = 0x8004_5707;
/** It stops when `V` is written to it before it is closed. */
export const WDIOF_MAGICCLOSE = 0x0100;

/** Linux only. */
export const PR_CAP_AMBIENT = 47;
export const PR_CAP_AMBIENT_CLEAR_ALL = 4;

export const PR_GET_CHILD_SUBREAPER = 37;

export const P_ALL = 0;
export const WNOHANG = 1;
export const WEXITED = 4;
/** The child stays as it is, to be waited for. */
export const WNOWAIT = IS_DARWIN ? 0x20 : 0x0100_0000;

export const {
  EPERM,
  ENOENT,
  ENOMEM,
  ESRCH,
  ENFILE,
  EMFILE,
  ETXTBSY,
  EINTR,
  EIO,
  EAGAIN,
  EPIPE,
  EACCES,
  EEXIST,
  EINVAL,
  EADDRINUSE,
  EADDRNOTAVAIL,
  ENOBUFS,
  EINPROGRESS,
  EPROTOTYPE,
  ENOTCONN,
  ENOSYS,
  ENOTSOCK,
  ENOPROTOOPT,
  ECONNABORTED,
  ECONNREFUSED,
  ECONNRESET,
  ERANGE,
} = constants.errno;
