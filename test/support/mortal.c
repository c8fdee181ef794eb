/* An agent that beats every 100 ms and ends with a status of its own:
     mortal SOCKET STATUS_OF_SIGTERM STATUS_OF_SIGUSR1
   STATUS_OF_SIGTERM 143 is what every JVM does. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int term_status, usr1_status;

static void on_signal(int number) { _exit(number == SIGTERM ? term_status : usr1_status); }

static uint32_t crc32c(const uint8_t *bytes, int size) {
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

int main(int argc, char **argv) {
  struct sockaddr_un observer = {.sun_family = AF_UNIX};
  if (argc != 4 || strlen(argv[1]) >= sizeof observer.sun_path) return 2;
  strcpy(observer.sun_path, argv[1]);
  term_status = atoi(argv[2]);
  usr1_status = atoi(argv[3]);
  signal(SIGTERM, on_signal);
  signal(SIGUSR1, on_signal);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  uint32_t pid = getpid();
  for (uint64_t nonce = 1;; nonce++) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t timestamp = now.tv_sec * 1000000000ull + now.tv_nsec;
    uint8_t frame[32] = {'V', 'A', 2, 0};
    memcpy(frame + 4, &pid, 4);
    memcpy(frame + 8, &timestamp, 8);
    memcpy(frame + 16, &nonce, 8);
    uint32_t crc = crc32c(frame, 28);
    memcpy(frame + 28, &crc, 4);
    sendto(fd, frame, sizeof frame, MSG_DONTWAIT, (void *)&observer, sizeof observer);
    usleep(100000);
  }
}
