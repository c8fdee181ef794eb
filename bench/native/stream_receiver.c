/*
 * A receiver of streams in C under the same load as the daemon: epoll and recvmsg, as any C
 * programmer would write it first, with as many frames of a connection in a look as the daemon
 * takes, which is one. It does with each frame what agents.h says; `drop` does nothing with it,
 * which is the kernel's share. usage: stream_receiver PATH take|drop. SIGTERM ends it.
 */
#define _GNU_SOURCE
#include "agents.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONTROL_SIZE = 32 };

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static int listen_at(const char *path) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) || bind(fd, (void *)&address, sizeof address) ||
      listen(fd, 1024)) {
    perror("stream_receiver: listen");
    exit(1);
  }
  return fd;
}

static void wait_for(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) perror("stream_receiver: epoll_ctl");
}

static void accept_all(int epoll, int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    wait_for(epoll, fd);
  }
}

static int take(const uint8_t *frame, struct msghdr *header, ssize_t length, uint64_t now_ns) {
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
  static uint8_t frame[64];
  static uint64_t control[CONTROL_SIZE / 8];
  struct iovec iov = {frame, FRAME_SIZE};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
  struct epoll_event ready[BATCH];
  uint64_t received = 0, accepted = 0;
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  crc_table_fill();
  int listener = listen_at(argv[1]), epoll = epoll_create1(EPOLL_CLOEXEC);
  wait_for(epoll, listener);
  while (!stopped) {
    int count = epoll_wait(epoll, ready, BATCH, 100);
    uint64_t now_ns = monotonic_ns();
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        accept_all(epoll, listener);
        continue;
      }
      header.msg_controllen = CONTROL_SIZE;
      ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT);
      if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) close(fd);
      if (length <= 0) continue;
      received++;
      if (taking) accepted += (uint64_t)take(frame, &header, length, now_ns);
    }
  }
  printf("received %llu accepted %llu\n", (unsigned long long)received, (unsigned long long)accepted);
  unlink(argv[1]);
  return 0;
}
