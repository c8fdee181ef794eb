// The structs of macOS that ffi/ has layouts of, spelt out here: the types have the sizes of
// both of its processors.
#include <stdint.h>

struct darwin_iovec { void *iov_base; uint64_t iov_len; };
struct darwin_msghdr {
  void *msg_name;
  uint32_t msg_namelen;
  struct darwin_iovec *msg_iov;
  int32_t msg_iovlen;
  void *msg_control;
  uint32_t msg_controllen;
  int32_t msg_flags;
};
struct darwin_cmsghdr { uint32_t cmsg_len; int32_t cmsg_level; int32_t cmsg_type; };
struct darwin_sockaddr_un { uint8_t sun_len; uint8_t sun_family; char sun_path[104]; };
struct darwin_sockaddr_in {
  uint8_t sin_len;
  uint8_t sin_family;
  uint16_t sin_port;
  uint32_t sin_addr;
  char sin_zero[8];
};
struct darwin_sockaddr_in6 {
  uint8_t sin6_len;
  uint8_t sin6_family;
  uint16_t sin6_port;
  uint32_t sin6_flowinfo;
  uint8_t sin6_addr[16];
  uint32_t sin6_scope_id;
};
struct darwin_pollfd { int32_t fd; int16_t events; int16_t revents; };
struct darwin_timespec { int64_t tv_sec; int64_t tv_nsec; };
struct darwin_timeval { int64_t tv_sec; int32_t tv_usec; };
struct darwin_itimerval { struct darwin_timeval it_interval; struct darwin_timeval it_value; };
struct darwin_sigaction { void *sa_handler; uint32_t sa_mask; int32_t sa_flags; };
struct darwin_rlimit { uint64_t rlim_cur; uint64_t rlim_max; };
typedef uint32_t darwin_sigset;
