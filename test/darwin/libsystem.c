// What of macOS's C library differs for this program, on top of Linux's: numbers, structs and flags
// of Darwin go in and come out, and whatever Darwin does not know is refused. Built as
// libSystem.dylib, it lets the darwin side of ffi/ run on a Linux machine. Functions that are the
// same in both are found in libc, which this library depends on.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { D_AF_INET6 = 30, D_SOL_SOCKET = 0xffff, D_MSG_DONTWAIT = 0x80, D_O_NONBLOCK = 0x4 };
enum { L_AF_INET6 = 10, L_MSG_DONTWAIT = 0x40, L_MSG_NOSIGNAL = 0x4000, L_O_NONBLOCK = 0x800 };

static int refused(int error) {
  errno = error;
  return -1;
}

int *__error(void) { return &errno; }

int socket(int domain, int type, int protocol) {
  if (type & ~0xf) return refused(EPROTOTYPE);
  int family = domain == D_AF_INET6 ? L_AF_INET6 : domain;
  return domain == L_AF_INET6 ? refused(EAFNOSUPPORT) : (int)syscall(SYS_socket, family, type, protocol);
}

// struct sockaddr of Darwin begins with its length and an 8-bit family.
static int linux_address(unsigned char *to, const void *from, socklen_t size) {
  const unsigned char *bytes = from;
  if (size < 2 || size > sizeof(struct sockaddr_un) || bytes[0] != size) return refused(EINVAL);
  if (bytes[1] == AF_UNIX && size > 106) return refused(ENAMETOOLONG);
  memcpy(to, from, size);
  uint16_t family = bytes[1] == D_AF_INET6 ? L_AF_INET6 : bytes[1];
  memcpy(to, &family, 2);
  return 0;
}

int bind(int fd, const struct sockaddr *from, socklen_t size) {
  unsigned char to[sizeof(struct sockaddr_un)];
  return linux_address(to, from, size) < 0 ? -1 : (int)syscall(SYS_bind, fd, to, size);
}

int connect(int fd, const struct sockaddr *from, socklen_t size) {
  unsigned char to[sizeof(struct sockaddr_un)];
  return linux_address(to, from, size) < 0 ? -1 : (int)syscall(SYS_connect, fd, to, size);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size) {
  int result = (int)syscall(SYS_getsockname, fd, address, size);
  if (result < 0) return result;
  unsigned char *bytes = (unsigned char *)address;
  unsigned char family = bytes[0];
  bytes[0] = (unsigned char)*size;
  bytes[1] = family == L_AF_INET6 ? D_AF_INET6 : family;
  return 0;
}

static int linux_flags(int flags) {
  return flags & ~D_MSG_DONTWAIT ? -1 : (flags ? L_MSG_DONTWAIT : 0) | L_MSG_NOSIGNAL;
}

ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *from, socklen_t size) {
  unsigned char to[sizeof(struct sockaddr_un)];
  if (linux_flags(flags) < 0) return refused(EINVAL);
  if (from == NULL) return syscall(SYS_sendto, fd, bytes, count, linux_flags(flags), NULL, 0);
  if (linux_address(to, from, size) < 0) return -1;
  return syscall(SYS_sendto, fd, bytes, count, linux_flags(flags), to, size);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
  return sendto(fd, bytes, count, flags, NULL, 0);
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
  if (linux_flags(flags) < 0) return refused(EINVAL);
  return syscall(SYS_recvfrom, fd, bytes, count, linux_flags(flags) & L_MSG_DONTWAIT, NULL, NULL);
}

static int linux_option(int *level, int *name) {
  static const int numbers[][4] = {
    // Darwin's level and name, Linux's level and name
    {D_SOL_SOCKET, 0x0004, 1, 2}, {D_SOL_SOCKET, 0x1001, 1, 7}, {D_SOL_SOCKET, 0x1002, 1, 8},
    {41, 27, 41, 26}, {6, 1, 6, 1},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    if (numbers[i][0] != *level || numbers[i][1] != *name) continue;
    *level = numbers[i][2];
    *name = numbers[i][3];
    return 0;
  }
  return refused(ENOPROTOOPT);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  return linux_option(&level, &name) < 0 ? -1 : (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
  return linux_option(&level, &name) < 0 ? -1 : (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

// F_SETFD, F_GETFL and F_SETFL have the same numbers. On arm64 Apple puts a variadic argument on
// the stack, where the ninth argument of any other call is.
#ifdef VARIADIC_ON_STACK
int fcntl(int fd, int command, long x2, long x3, long x4, long x5, long x6, long x7, int value) {
#else
int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  int value = va_arg(arguments, int);
  va_end(arguments);
#endif
  if (command == 4) value = (value & ~D_O_NONBLOCK) | (value & D_O_NONBLOCK ? L_O_NONBLOCK : 0);
  int result = (int)syscall(SYS_fcntl, fd, command, value);
  if (command != 3 || result < 0) return result;
  return (result & ~(L_O_NONBLOCK | D_O_NONBLOCK)) | (result & L_O_NONBLOCK ? D_O_NONBLOCK : 0);
}

int clock_gettime(clockid_t id, struct timespec *time) {
  int linux_id = id == 0 ? 0 : id == 6 ? 1 : id == 4 ? 4 : -1;
  return linux_id < 0 ? refused(EINVAL) : (int)syscall(SYS_clock_gettime, linux_id, time);
}

// struct sigaction of Darwin: the handler, a mask of 32 bits, flags of 32 bits. Here nothing is
// ever ignored.
int sigaction(int number, const struct sigaction *act, struct sigaction *old) {
  if (number < 1 || number > 31) return refused(EINVAL);
  if (act == NULL && old != NULL) memset(old, 0, 16);
  return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  uint64_t mask = 0;
  if (how != 3) return refused(EINVAL);
  if (set != NULL) memcpy(&mask, set, 4);
  (void)old;
  return (int)syscall(SYS_rt_sigprocmask, 2, &mask, NULL, 8);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
  return resource == 8 ? (int)syscall(SYS_prlimit64, 0, 7, NULL, limit) : refused(EINVAL);
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  return resource == 8 ? (int)syscall(SYS_prlimit64, 0, 7, limit, NULL) : refused(EINVAL);
}
