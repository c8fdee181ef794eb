// Clients that ask an HTTP server for more than their share, and a server that only accepts, to
// compare with.
//   http_load MODE PORT   clients at 127.0.0.1:PORT until SIGTERM; then prints how many connections
//                         they made
//   http_load accept      accepts at a free port, which it prints; reads all, and answers and closes
//                         at the first bytes
//   http_load hold        the same, but never answers
// MODE: pipeline, loris, idle, scrape, tls. The clients come from many addresses of 127.0.0.0/8, so
// that no bound on one address spares the server anything.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, BLOB_MAX = 1 << 20 };

static volatile sig_atomic_t stopped;
static char blob[BLOB_MAX], sink[1 << 16];
static struct pollfd fds[CONNECTIONS_MAX];
static size_t sent[CONNECTIONS_MAX];
static double dripped[CONNECTIONS_MAX], opened[CONNECTIONS_MAX];

static void stop(int signal) { (void)signal; stopped = 1; }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_client(int i, int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
  from.sin_addr.s_addr = htonl(0x7f020000u + 1 + (unsigned)i % 250);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  setsockopt(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
  bind(fd, (struct sockaddr *)&from, sizeof from);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

static int serve(int answers) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 512) < 0) return 1;
  getsockname(listener, (struct sockaddr *)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
  int count = 1;
  fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
  while (!stopped) {
    if (poll(fds, count, 100) <= 0) continue;
    for (int i = count - 1; i > 0; i--) {
      if (fds[i].revents == 0) continue;
      ssize_t got = recv(fds[i].fd, sink, sizeof sink, 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got > 0 && answers) send(fds[i].fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
      if (got > 0 && !answers) continue;
      close(fds[i].fd);
      fds[i] = fds[--count];
    }
    if (fds[0].revents == 0) continue;
    for (int fd; count < CONNECTIONS_MAX && (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;)
      fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
  }
  return 0;
}

int main(int argc, char **argv) {
  signal(SIGTERM, stop);
  signal(SIGPIPE, SIG_IGN);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (argc < 2) return 2;
  const char *mode = argv[1];
  if (strcmp(mode, "accept") == 0 || strcmp(mode, "hold") == 0) return serve(mode[0] == 'a');
  if (argc < 3) return 2;
  int port = atoi(argv[2]), count = 16, drips = 0;
  size_t size = 0;
  if (strcmp(mode, "pipeline") == 0) {
    static const char request[] = "GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for (count = 50; size < 600000; size += sizeof request - 1) memcpy(blob + size, request, sizeof request - 1);
  } else if (strcmp(mode, "loris") == 0) {
    size = sprintf(blob, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    count = 1000;
    drips = 1;
  } else if (strcmp(mode, "idle") == 0) {
    count = 2000;
  } else if (strcmp(mode, "scrape") == 0) {
    size = sprintf(blob, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n"
                         "Connection: close\r\n\r\n");
    count = 64;
  } else if (strcmp(mode, "tls") == 0) {
    memcpy(blob, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    size = 517;
  } else
    return 2;
  long made = 0;
  for (int i = 0; i < count; i++) fds[i].fd = -1;
  while (!stopped) {
    double t = now();
    int opens = 0;
    for (int i = 0; i < count; i++) {
      if (fds[i].fd < 0 && opens < 64 && t - opened[i] > 0.01) {
        fds[i].fd = open_client(i, port);
        fds[i].events = POLLIN | (size > 0 ? POLLOUT : 0);
        sent[i] = 0;
        opened[i] = dripped[i] = t;
        opens++;
        made += fds[i].fd >= 0;
      }
      if (drips && fds[i].fd >= 0 && sent[i] == size && t - dripped[i] > 1) {
        dripped[i] = t;
        send(fds[i].fd, "X-a: b\r\n", 8, MSG_NOSIGNAL);
      }
    }
    if (poll(fds, count, 10) <= 0) continue;
    for (int i = 0; i < count; i++) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      int over = (fds[i].revents & (POLLERR | POLLNVAL)) != 0;
      if (!over && (fds[i].revents & POLLOUT)) {
        ssize_t did = send(fds[i].fd, blob + sent[i], size - sent[i], MSG_NOSIGNAL);
        if (did > 0) sent[i] += did;
        if (sent[i] == size) fds[i].events = POLLIN;
      }
      // A client that pipelines never reads.
      if (!over && (fds[i].revents & (POLLIN | POLLHUP)) && (drips || count != 50))
        over = recv(fds[i].fd, sink, sizeof sink, 0) == 0;
      if (over || (fds[i].revents & POLLHUP)) {
        close(fds[i].fd);
        fds[i].fd = -1;
      }
    }
  }
  printf("%ld\n", made);
  return 0;
}
