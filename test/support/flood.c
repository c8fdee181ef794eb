/*
 * A sender that never rests, for tests of what a flood does to others: datagrams of one size at
 * line rate until it is told to end, then their number on stdout.
 *
 *   flood CONTENT SIZE unix SOCKET
 *   flood CONTENT SIZE udp ADDRESS PORT     IPv4
 *
 * CONTENT is "random" (no frame, and no sealed one) or "beats" (valid frames of any pid).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { BATCH = 64, DATAGRAM_MAX = 2048, FRAMES = 4096 };

static volatile sig_atomic_t ended;

static void end(int number) {
  (void)number;
  ended = 1;
}

static uint64_t random_bits(void) {
  static uint64_t state = 0xc0ffee;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static uint32_t crc32c(const uint8_t *bytes, int size) {
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

static void put_beat(uint8_t *frame) {
  uint32_t pid = 2 + random_bits() % 30000;
  uint64_t timestamp = random_bits() >> 1, nonce = 1 + (random_bits() >> 1);
  memset(frame, 0, 32);
  memcpy(frame, (uint8_t[]){'V', 'A', 2, 0}, 4);
  memcpy(frame + 4, &pid, 4);
  memcpy(frame + 8, &timestamp, 8);
  memcpy(frame + 16, &nonce, 8);
  uint32_t crc = crc32c(frame, 28);
  memcpy(frame + 28, &crc, 4);
}

static int connected(int argc, char **argv) {
  union {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_in in;
  } to = {0};
  socklen_t size = sizeof to.in;
  if (argc == 5 && strcmp(argv[3], "unix") == 0 && strlen(argv[4]) < sizeof to.un.sun_path) {
    to.un.sun_family = AF_UNIX;
    strcpy(to.un.sun_path, argv[4]);
    size = sizeof to.un;
  } else if (argc == 6 && strcmp(argv[3], "udp") == 0 && inet_pton(AF_INET, argv[4], &to.in.sin_addr) == 1) {
    to.in.sin_family = AF_INET;
    to.in.sin_port = htons(atoi(argv[5]));
  } else {
    return -1;
  }
  int fd = socket(to.any.sa_family, SOCK_DGRAM, 0);
  return fd >= 0 && connect(fd, &to.any, size) == 0 ? fd : -1;
}

int main(int argc, char **argv) {
  static uint8_t data[FRAMES][DATAGRAM_MAX];
  struct mmsghdr headers[BATCH] = {0};
  struct iovec parts[BATCH];
  unsigned long long total = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = end}, NULL);
  int size = argc > 2 ? atoi(argv[2]) : -1, fd = connected(argc, argv);
  if (fd < 0 || size < 0 || size > DATAGRAM_MAX) {
    fprintf(stderr, "flood: cannot send: %s\n", strerror(errno));
    return 2;
  }
  /* Made beforehand: the flood must not be slower than the kernel. */
  for (int i = 0; i < FRAMES; i++) {
    for (int at = 0; at + 8 <= DATAGRAM_MAX; at += 8) memcpy(data[i] + at, &(uint64_t){random_bits()}, 8);
    if (strcmp(argv[1], "beats") == 0) put_beat(data[i]);
  }
  for (unsigned next = 0; !ended;) {
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){data[next++ % FRAMES], size};
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(fd, headers, BATCH, 0);
    if (sent > 0) total += sent;
    else if (errno != EINTR && errno != ECONNREFUSED && errno != ENOBUFS) break;
  }
  printf("%llu\n", total);
  return 0;
}
