/*
 * A receiver in C under the same load as the daemon: the yardstick for its CPU time per beat. It
 * does with each datagram what agents.h says; `drop` does nothing with it, which is the kernel's
 * share. usage: receiver PATH take|drop. SIGTERM ends it; it then prints "received N accepted N
 * cpu_us N".
 */
#define _GNU_SOURCE
#include "agents.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONTROL_SIZE = 32 };

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static int bind_path(const char *path) {
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) || bind(fd, (void *)&address, sizeof address)) {
    perror("receiver: bind");
    exit(1);
  }
  return fd;
}

static int take(const uint8_t *frame, struct msghdr *header, uint32_t length, uint64_t now_ns) {
  struct cmsghdr *credentials = CMSG_FIRSTHDR(header);
  struct ucred peer;
  uint32_t pid;
  if (length != FRAME_SIZE || credentials == NULL || credentials->cmsg_type != SCM_CREDENTIALS) return 0;
  if (!frame_is_valid(frame, crc_fast(frame))) return 0;
  memcpy(&peer, CMSG_DATA(credentials), sizeof peer);
  memcpy(&pid, frame + 4, 4);
  return (uint32_t)peer.pid == pid && agents_record(frame, now_ns);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int taking = strcmp(argv[2], "take") == 0;
  static uint8_t frames[BATCH][64];
  static uint64_t control[BATCH][CONTROL_SIZE / 8];
  struct iovec iov[BATCH];
  struct mmsghdr headers[BATCH];
  struct rusage usage;
  uint64_t received = 0, accepted = 0;
  int fd = bind_path(argv[1]);
  struct pollfd wait = {fd, POLLIN, 0};
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  crc_table_fill();
  memset(headers, 0, sizeof headers);
  for (int i = 0; i < BATCH; i++) {
    iov[i] = (struct iovec){frames[i], FRAME_SIZE + 1};
    headers[i].msg_hdr.msg_iov = &iov[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    headers[i].msg_hdr.msg_control = control[i];
    headers[i].msg_hdr.msg_controllen = CONTROL_SIZE;
  }
  while (!stopped) {
    poll(&wait, 1, 100);
    for (;;) {
      int count = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
      if (count <= 0) break;
      uint64_t now_ns = monotonic_ns();
      received += (uint64_t)count;
      for (int i = 0; i < count; i++) {
        if (taking) accepted += (uint64_t)take(frames[i], &headers[i].msg_hdr, headers[i].msg_len, now_ns);
        headers[i].msg_hdr.msg_controllen = CONTROL_SIZE;
      }
    }
  }
  getrusage(RUSAGE_SELF, &usage);
  printf("received %llu accepted %llu cpu_us %lld\n", (unsigned long long)received, (unsigned long long)accepted,
         (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ll + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  unlink(argv[1]);
  return 0;
}
