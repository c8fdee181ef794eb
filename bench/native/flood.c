/*
 * The load: agents that are real processes, so that the kernel vouches for each beat. It forks
 * AGENTS sleeping children and states their pids in the credentials of the datagrams, which only
 * root may do. usage: flood PATH AGENTS RATE SECONDS [BATCH [NAMES]]. RATE is beats/s over all
 * agents, and all beats that are due in SECONDS are sent, however long that takes; 0 = as fast as
 * the receiver takes them. NAMES: the agents run programs of so many names in turn, "agent-0" and
 * so on. It prints "ready" when its children live and waits for a line on stdin; at the end
 * "sent N refused N elapsed_ns N". A beat that finds the queue full waits for room, as a blocking
 * agent does; "refused" counts those waits.
 */
#define _GNU_SOURCE
#include "vlp.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char control[BATCH][CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
static uint8_t frames[BATCH][FRAME_SIZE];
static struct iovec iov[BATCH];
static struct mmsghdr headers[BATCH];

static pid_t spawn_agent(int name) {
  pid_t parent = getpid(), pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  if (name >= 0) {
    char comm[24];
    snprintf(comm, sizeof comm, "agent-%d", name);
    prctl(PR_SET_NAME, comm);
  }
  close(0);
  close(1);
  close(2);
  for (;;) pause();
}

static int connect_to(const char *path) {
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 8 << 20;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (connect(fd, (void *)&address, sizeof address)) {
    perror("flood: connect");
    exit(1);
  }
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  return fd;
}

static void prepare_headers(void) {
  struct ucred sender = {0, getuid(), getgid()};
  for (int i = 0; i < BATCH; i++) {
    struct msghdr *header = &headers[i].msg_hdr;
    iov[i] = (struct iovec){frames[i], FRAME_SIZE};
    header->msg_iov = &iov[i];
    header->msg_iovlen = 1;
    header->msg_control = control[i];
    header->msg_controllen = sizeof control[i];
    struct cmsghdr *credentials = CMSG_FIRSTHDR(header);
    credentials->cmsg_level = SOL_SOCKET;
    credentials->cmsg_type = SCM_CREDENTIALS;
    credentials->cmsg_len = CMSG_LEN(sizeof sender);
    memcpy(CMSG_DATA(credentials), &sender, sizeof sender);
  }
}

static void sleep_until(uint64_t at_ns) {
  struct timespec t = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int agents = atoi(argv[2]), batch = argc > 5 ? atoi(argv[5]) : 32;
  int names = argc > 6 ? atoi(argv[6]) : 0, is_held_up = 0;
  double rate = atof(argv[3]);
  uint64_t length_ns = (uint64_t)(atof(argv[4]) * 1e9), sent = 0, refused = 0;
  if (batch > BATCH) batch = BATCH;
  if (batch > agents) batch = agents;
  pid_t *pids = calloc((size_t)agents, sizeof *pids);
  uint64_t *nonces = calloc((size_t)agents, sizeof *nonces);
  for (int i = 0; i < agents; i++)
    if ((pids[i] = spawn_agent(names > 0 ? i % names : -1)) < 0) {
      perror("flood: fork");
      return 1;
    }
  prepare_headers();
  puts("ready");
  fflush(stdout);
  if (getchar() == EOF) return 1;
  int fd = connect_to(argv[1]), next = 0;
  struct pollfd room = {fd, POLLOUT, 0};
  uint64_t start_ns = monotonic_ns(), end_ns = start_ns + length_ns, now_ns;
  while ((now_ns = monotonic_ns()) < end_ns || rate > 0) {
    uint64_t meant_ns = now_ns;
    if (rate > 0) {
      uint64_t due_ns = start_ns + (uint64_t)((double)(sent + (uint64_t)batch) / rate * 1e9);
      if (due_ns > end_ns) break;
      if (due_ns > now_ns) {
        sleep_until(due_ns);
        is_held_up = 0;
      }
      /* Beats that wait behind one that found the queue full were due all the same. */
      meant_ns = is_held_up ? due_ns : monotonic_ns();
    }
    for (int i = 0; i < batch; i++) {
      int agent = (next + i) % agents;
      struct ucred *sender = (void *)CMSG_DATA(CMSG_FIRSTHDR(&headers[i].msg_hdr));
      sender->pid = pids[agent];
      /*
       * The payload says when the beat was due, in microseconds, for the probe of the benchmark.
       */
      frame_write(frames[i], (uint32_t)pids[agent], now_ns, ++nonces[agent], (uint32_t)(meant_ns / 1000));
    }
    for (int done = 0; done < batch;) {
      int count = sendmmsg(fd, headers + done, (unsigned)(batch - done), 0);
      if (count > 0) {
        sent += (uint64_t)count;
        done += count;
      } else if (errno == EAGAIN) {
        refused++;
        is_held_up = 1;
        poll(&room, 1, 1000);
      } else if (errno != EINTR) {
        perror("flood: sendmmsg");
        return 1;
      }
    }
    next = (next + batch) % agents;
  }
  printf("sent %llu refused %llu elapsed_ns %llu\n", (unsigned long long)sent, (unsigned long long)refused,
         (unsigned long long)(monotonic_ns() - start_ns));
  fflush(stdout);
  /* The agents live on in silence until stdin is closed, or until this process is killed. */
  while (getchar() != EOF)
    ;
  for (int i = 0; i < agents; i++) kill(pids[i], SIGKILL);
  return 0;
}
