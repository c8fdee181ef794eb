// The symbol table: every C function that the program calls, one argument per line with its C
// parameter. This is the whole unsafe surface. libc.ts loads it.
import { FFIType } from "bun:ffi";
import { IS_DARWIN } from "./constants.ts";

export const SYMBOLS = {
  socket: {
    args: [
      "i32", // int domain
      "i32", // int type
      "i32", // int protocol
    ],
    returns: "i32",
  },
  bind: {
    args: [
      "i32", // int sockfd
      "ptr", // const struct sockaddr *addr
      "u32", // socklen_t addrlen
    ],
    returns: "i32",
  },
  connect: {
    args: [
      "i32", // int sockfd
      "ptr", // const struct sockaddr *addr
      "u32", // socklen_t addrlen
    ],
    returns: "i32",
  },
  listen: {
    args: [
      "i32", // int sockfd
      "i32", // int backlog
    ],
    returns: "i32",
  },
  shutdown: {
    args: [
      "i32", // int sockfd
      "i32", // int how
    ],
    returns: "i32",
  },
  getsockname: {
    args: [
      "i32", // int sockfd
      "ptr", // struct sockaddr *addr
      "ptr", // socklen_t *addrlen
    ],
    returns: "i32",
  },
  close: {
    args: [
      "i32", // int fd
    ],
    returns: "i32",
  },
  setsockopt: {
    args: [
      "i32", // int sockfd
      "i32", // int level
      "i32", // int optname
      "ptr", // const void *optval
      "u32", // socklen_t optlen
    ],
    returns: "i32",
  },
  getsockopt: {
    args: [
      "i32", // int sockfd
      "i32", // int level
      "i32", // int optname
      "ptr", // void *optval
      "ptr", // socklen_t *optlen
    ],
    returns: "i32",
  },
  send: {
    args: [
      "i32", // int sockfd
      "ptr", // const void *buf
      FFIType.u64_fast, // size_t len
      "i32", // int flags
    ],
    returns: "i32", // ssize_t: a datagram is far below 2 GiB
  },
  sendto: {
    args: [
      "i32", // int sockfd
      "ptr", // const void *buf
      FFIType.u64_fast, // size_t len
      "i32", // int flags
      "ptr", // const struct sockaddr *dest_addr
      "u32", // socklen_t addrlen
    ],
    returns: "i32",
  },
  recv: {
    args: [
      "i32", // int sockfd
      "ptr", // void *buf
      FFIType.u64_fast, // size_t len
      "i32", // int flags
    ],
    returns: "i32",
  },
  poll: {
    args: [
      "ptr", // struct pollfd *fds
      FFIType.u64_fast, // nfds_t nfds
      "i32", // int timeout
    ],
    returns: "i32",
  },
  clock_gettime: {
    args: [
      "i32", // clockid_t clockid
      "ptr", // struct timespec *tp
    ],
    returns: "i32",
  },
  setitimer: {
    args: [
      "i32", // int which
      "ptr", // const struct itimerval *new_value
      "ptr", // struct itimerval *old_value
    ],
    returns: "i32",
  },
  getpgid: {
    args: [
      "i32", // pid_t pid
    ],
    returns: "i32",
  },
  kill: {
    args: [
      "i32", // pid_t pid
      "i32", // int sig
    ],
    returns: "i32",
  },
  umask: {
    args: [
      "u32", // mode_t mask
    ],
    returns: "u32",
  },
  sigprocmask: {
    args: [
      "i32", // int how
      "ptr", // const sigset_t *set
      "ptr", // sigset_t *oldset
    ],
    returns: "i32",
  },
  sigaction: {
    args: [
      "i32", // int signum
      "ptr", // const struct sigaction *act
      "ptr", // struct sigaction *oldact
    ],
    returns: "i32",
  },
  getrlimit: {
    args: [
      "i32", // int resource
      "ptr", // struct rlimit *rlim
    ],
    returns: "i32",
  },
  setrlimit: {
    args: [
      "i32", // int resource
      "ptr", // const struct rlimit *rlim
    ],
    returns: "i32",
  },
  geteuid: { args: [], returns: "u32" },
  setgroups: {
    args: [
      FFIType.u64_fast, // size_t size; an int on darwin, where small numbers look the same
      "ptr", // const gid_t *list
    ],
    returns: "i32",
  },
  setgid: {
    args: [
      "u32", // gid_t gid
    ],
    returns: "i32",
  },
  setuid: {
    args: [
      "u32", // uid_t uid
    ],
    returns: "i32",
  },
  getpid: { args: [], returns: "i32" },
  getppid: { args: [], returns: "i32" },
  execve: {
    args: [
      "ptr", // const char *pathname
      "ptr", // char *const argv[]
      "ptr", // char *const envp[]
    ],
    returns: "i32", // only where it failed
  },
  setsid: { args: [], returns: "i32" },
  // int fcntl(int fd, int cmd, ...): the third argument is passed as an int by every command that
  // is used here. See STACK_SYMBOLS.
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  flock: {
    args: [
      "i32", // int fd
      "i32", // int operation
    ],
    returns: "i32",
  },
  pipe: {
    args: [
      "ptr", // int pipefd[2]
    ],
    returns: "i32",
  },
  read: {
    args: [
      "i32", // int fd
      "ptr", // void *buf
      FFIType.u64_fast, // size_t count
    ],
    returns: "i32", // ssize_t: our buffers are far below 2 GiB
  },
} as const;

export const LINUX_SYMBOLS = {
  accept4: {
    args: [
      "i32", // int sockfd
      "ptr", // struct sockaddr *addr
      "ptr", // socklen_t *addrlen
      "i32", // int flags
    ],
    returns: "i32",
  },
  epoll_create1: {
    args: [
      "i32", // int flags
    ],
    returns: "i32",
  },
  epoll_ctl: {
    args: [
      "i32", // int epfd
      "i32", // int op
      "i32", // int fd
      "ptr", // struct epoll_event *event
    ],
    returns: "i32",
  },
  epoll_wait: {
    args: [
      "i32", // int epfd
      "ptr", // struct epoll_event *events
      "i32", // int maxevents
      "i32", // int timeout
    ],
    returns: "i32",
  },
  // int ioctl(int fd, unsigned long request, ...), with one more argument as for syscall below.
  ioctl: {
    args: [
      "i32", // int fd
      FFIType.u64_fast, // unsigned long request
      "ptr", // the one argument of every request of ours
    ],
    returns: "i32",
  },
  recvmmsg: {
    args: [
      "i32", // int sockfd
      "ptr", // struct mmsghdr *msgvec
      "u32", // unsigned int vlen
      "i32", // int flags
      "ptr", // struct timespec *timeout
    ],
    returns: "i32",
  },
  recvmsg: {
    args: [
      "i32", // int sockfd
      "ptr", // struct msghdr *msg
      "i32", // int flags
    ],
    returns: "i32", // ssize_t: at most one frame is read
  },
  sendmsg: {
    args: [
      "i32", // int sockfd
      "ptr", // const struct msghdr *msg
      "i32", // int flags
    ],
    returns: "i32", // ssize_t: a datagram is far below 2 GiB
  },
  adjtimex: {
    args: [
      "ptr", // struct timex *buf
    ],
    returns: "i32",
  },
  prctl: {
    args: [
      "i32", // int op
      FFIType.u64_fast, // unsigned long arg2
      FFIType.u64_fast, // unsigned long arg3
      FFIType.u64_fast, // unsigned long arg4
      FFIType.u64_fast, // unsigned long arg5
    ],
    returns: "i32",
  },
  waitid: {
    args: [
      "i32", // idtype_t idtype
      "u32", // id_t id
      "ptr", // siginfo_t *infop
      "i32", // int options
    ],
    returns: "i32",
  },
  waitpid: {
    args: [
      "i32", // pid_t pid
      "ptr", // int *wstatus
      "i32", // int options
    ],
    returns: "i32",
  },
  madvise: {
    args: [
      FFIType.u64_fast, // void *addr, a number here: mappings are not memory of ours
      FFIType.u64_fast, // size_t length
      "i32", // int advice
    ],
    returns: "i32",
  },
  // long syscall(long number, ...): every argument is passed as a long, which is what the kernel's
  // entry reads; on x64 and arm64 Linux a variadic call puts integers into the same registers as
  // any other call. No call here has more.
  syscall: {
    args: [
      FFIType.i64_fast, // long number
      FFIType.i64_fast,
      FFIType.i64_fast,
      FFIType.i64_fast,
      FFIType.i64_fast,
    ],
    returns: FFIType.i64_fast,
  },
  __errno_location: { args: [], returns: "ptr" },
} as const;

export const DARWIN_SYMBOLS = {
  accept: {
    args: [
      "i32", // int sockfd
      "ptr", // struct sockaddr *addr
      "ptr", // socklen_t *addrlen
    ],
    returns: "i32",
  },
  __error: { args: [], returns: "ptr" },
} as const;

/**
 * Apple's convention for arm64 puts the variadic arguments of a call on the stack, and calls that
 * declare none put the first eight in registers. So fcntl gets six unused ones, and finds its third
 * argument in the ninth.
 */
export const VARIADIC_ON_STACK: boolean = IS_DARWIN && process.arch === "arm64";

export const STACK_SYMBOLS = {
  fcntl: {
    args: [
      "i32", // int fd
      "i32", // int cmd
      FFIType.i64_fast, // x2
      FFIType.i64_fast, // x3
      FFIType.i64_fast, // x4
      FFIType.i64_fast, // x5
      FFIType.i64_fast, // x6
      FFIType.i64_fast, // x7
      FFIType.i64_fast, // ..., the first word on the stack
    ],
    returns: "i32",
  },
} as const;
