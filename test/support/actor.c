/* An agent that beats every 50 ms, a number of times or for ever, and does then what it is told:
     actor SOCKET BEATS wait          sleeps
     actor SOCKET BEATS spin          uses a processor
     actor SOCKET BEATS exit STATUS   ends
   BEATS 0 = for ever. SIGUSR1: falls silent; SIGUSR2: beats BEATS times more. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t quiet, again;

static void on_signal(int number) {
  if (number == SIGUSR1) quiet = 1;
  else again = 1;
}

static uint32_t crc32c(const uint8_t *bytes, int size) {
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

static void beat(int fd, struct sockaddr_un *observer, uint64_t nonce) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint32_t pid = getpid();
  uint64_t timestamp = now.tv_sec * 1000000000ull + now.tv_nsec;
  uint8_t frame[32] = {'V', 'A', 2, 0};
  memcpy(frame + 4, &pid, 4);
  memcpy(frame + 8, &timestamp, 8);
  memcpy(frame + 16, &nonce, 8);
  uint32_t crc = crc32c(frame, 28);
  memcpy(frame + 28, &crc, 4);
  sendto(fd, frame, sizeof frame, 0, (void *)observer, sizeof *observer);
}

int main(int argc, char **argv) {
  struct sockaddr_un observer = {.sun_family = AF_UNIX};
  if (argc < 4 || strlen(argv[1]) >= sizeof observer.sun_path) return 2;
  strcpy(observer.sun_path, argv[1]);
  uint64_t beats = strtoull(argv[2], NULL, 10);
  signal(SIGUSR1, on_signal);
  signal(SIGUSR2, on_signal);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  uint64_t nonce = 0;
  for (;;) {
    for (uint64_t sent = 0; !quiet && (beats == 0 || sent < beats); sent++) {
      beat(fd, &observer, ++nonce);
      usleep(50000);
    }
    if (strcmp(argv[3], "exit") == 0) return atoi(argv[4]);
    again = 0;
    while (!again) {
      if (strcmp(argv[3], "wait") == 0) usleep(500000);
    }
    quiet = 0;
  }
}
