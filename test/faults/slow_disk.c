/*
 * A disk that takes its time, for one process: preloaded, it makes every sync wait SLOW_SYNC_MS
 * milliseconds, in whichever thread asks for it.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
  const char *text = getenv("SLOW_SYNC_MS");
  long ms = text == NULL ? 0 : atol(text);
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

int fdatasync(int fd) {
  wait_for_disk();
  return syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
  wait_for_disk();
  return syscall(SYS_fsync, fd);
}
