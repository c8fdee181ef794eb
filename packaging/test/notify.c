/* A service that knows sd_notify(3) alone. */
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static void stop(int signal) {
  (void)signal;
  sd_notify(0, "STOPPING=1");
  _exit(3);
}
static void trigger(int signal) {
  (void)signal;
  sd_notify(0, "WATCHDOG=trigger");
  usleep(500000);
}

int main(void) {
  signal(SIGTERM, stop);
  signal(SIGUSR1, trigger);
  sd_notify(0, "READY=1");
  for (;;) {
    sd_notify(0, "WATCHDOG=1\nSTATUS=ready to serve");
    /* The kernel lets go of the barrier's descriptor at once. */
    if (sd_notify_barrier(0, 5000000) < 0) return 70;
    usleep(500000);
  }
}
