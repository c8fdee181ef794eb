/* Holds a process in a state that a signal alone does not give it:
     held vfork         becomes a process in state D, until its child of vfork(2) ends
     held trace PID     is the debugger of PID, and lets it run
     held stop PID      is the debugger of PID, and stops it
   Says "ready" when it is so, and ends with its standard input. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static void until_input_ends(void) {
  char byte;
  while (read(0, &byte, 1) > 0) {}
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "vfork") == 0) {
    if (vfork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (write(1, "ready\n", 6) < 0) _exit(1);
      until_input_ends();
      _exit(0);
    }
    return 0;
  }
  if (argc != 3) return 2;
  pid_t pid = atoi(argv[2]);
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return 1;
  if (strcmp(argv[1], "stop") == 0) {
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) return 1;
    waitpid(pid, NULL, __WALL);
  }
  if (write(1, "ready\n", 6) < 0) return 1;
  until_input_ends();
  return 0;
}
