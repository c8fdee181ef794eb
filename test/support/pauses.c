/*
 * Measures how long this machine keeps a process that wants to run from running: sleeps 2 ms again
 * and again until SIGTERM, then prints the longest oversleep in microseconds.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

static volatile sig_atomic_t ended;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(void) {
  const struct timespec step = {0, 2000000};
  int64_t longest = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGTERM, end);
  puts("started");
  fflush(stdout);
  for (int64_t before = now_us(); !ended;) {
    nanosleep(&step, NULL);
    int64_t now = now_us();
    if (now - before - 2000 > longest) longest = now - before - 2000;
    before = now;
  }
  printf("%lld\n", (long long)longest);
  return 0;
}
