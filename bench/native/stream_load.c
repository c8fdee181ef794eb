/*
 * The load of streams: AGENTS real processes, each of which has connected one stream socket itself;
 * this one writes their beats and states their pids in the credentials, which only root may do.
 * usage: stream_load PATH AGENTS RATE SECONDS BURST FLOODS. RATE is beats/s over all agents, BURST
 * of them at the same moment. So many more processes as FLOODS says each write valid frames of
 * their own by one connection as fast as they are taken, with a payload of 0, from the first run
 * on. It prints "ready" when everybody is connected; each line on stdin is a run of the same
 * agents, at the end of which it prints "sent N refused N elapsed_ns N".
 */
#define _GNU_SOURCE
#include "vlp.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FLOOD_FRAMES = 64 };

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void connect_as_self(int fd) {
  while (connect(fd, (void *)&address, sizeof address) != 0) {
    if (errno != EAGAIN && errno != EINTR) {
      perror("stream_load: connect");
      _exit(1);
    }
    usleep(1000);
  }
}

static void live_with(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
}

static pid_t spawn_agent(int fd) {
  pid_t parent = getpid(), pid = fork();
  if (pid != 0) return pid;
  live_with(parent);
  connect_as_self(fd);
  for (int other = 0; other <= fd; other++) close(other);
  for (;;) pause();
}

static void flood(void) {
  static uint8_t frames[FLOOD_FRAMES * FRAME_SIZE];
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  connect_as_self(fd);
  for (uint64_t nonce = 1;;) {
    for (int i = 0; i < FLOOD_FRAMES; i++)
      frame_write(frames + i * FRAME_SIZE, (uint32_t)getpid(), monotonic_ns(), nonce++, 0);
    for (size_t done = 0; done < sizeof frames;) {
      ssize_t sent = send(fd, frames + done, sizeof frames - done, MSG_NOSIGNAL);
      if (sent < 0 && errno != EINTR) _exit(1);
      if (sent > 0) done += (size_t)sent;
    }
  }
}

static void sleep_until(uint64_t at_ns) {
  struct timespec t = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* 1 if it had to wait for room. */
static int send_beat(int fd, struct msghdr *header) {
  struct pollfd room = {fd, POLLOUT, 0};
  int waited = 0;
  while (sendmsg(fd, header, MSG_NOSIGNAL | MSG_DONTWAIT) != FRAME_SIZE) {
    if (errno == EAGAIN) poll(&room, 1, 1000);
    else if (errno != EINTR) {
      perror("stream_load: sendmsg");
      exit(1);
    }
    waited = 1;
  }
  return waited;
}

static pid_t *pids;
static int *fds;
static uint64_t *nonces;

static void run(int agents, double rate, uint64_t length_ns, int burst) {
  static char control[CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
  static uint8_t frame[FRAME_SIZE];
  static int next;
  struct iovec iov = {frame, FRAME_SIZE};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *credentials = CMSG_FIRSTHDR(&header);
  credentials->cmsg_level = SOL_SOCKET;
  credentials->cmsg_type = SCM_CREDENTIALS;
  credentials->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  struct ucred sender = {0, getuid(), getgid()};
  uint64_t start_ns = monotonic_ns(), end_ns = start_ns + length_ns, sent = 0, refused = 0;
  for (int is_held_up = 0;;) {
    uint64_t due_ns = start_ns + (uint64_t)((double)(sent + (uint64_t)burst) / rate * 1e9);
    if (due_ns > end_ns) break;
    if (monotonic_ns() < due_ns) {
      sleep_until(due_ns);
      is_held_up = 0;
    }
    /* Beats that wait behind one that found no room were due all the same. */
    uint64_t meant_ns = is_held_up ? due_ns : monotonic_ns();
    for (int i = 0; i < burst; i++) {
      int agent = (next + i) % agents;
      sender.pid = pids[agent];
      memcpy(CMSG_DATA(credentials), &sender, sizeof sender);
      frame_write(frame, (uint32_t)pids[agent], meant_ns, ++nonces[agent], (uint32_t)(meant_ns / 1000));
      int waited = send_beat(fds[agent], &header);
      refused += (uint64_t)waited;
      is_held_up |= waited;
      sent++;
    }
    next = (next + burst) % agents;
  }
  printf("sent %llu refused %llu elapsed_ns %llu\n", (unsigned long long)sent, (unsigned long long)refused,
         (unsigned long long)(monotonic_ns() - start_ns));
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int agents = atoi(argv[2]), burst = atoi(argv[5]), floods = atoi(argv[6]), has_begun = 0;
  double rate = atof(argv[3]);
  uint64_t length_ns = (uint64_t)(atof(argv[4]) * 1e9);
  pids = calloc((size_t)agents, sizeof *pids);
  fds = calloc((size_t)agents, sizeof *fds);
  nonces = calloc((size_t)agents, sizeof *nonces);
  for (int i = 0; i < agents; i++) {
    fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pids[i] = spawn_agent(fds[i]);
    /* Not a thousand connections at once: the backlog of a listener is no longer than that. */
    struct sockaddr_un peer;
    socklen_t size = sizeof peer;
    while (getpeername(fds[i], (void *)&peer, &size) != 0) usleep(100);
  }
  puts("ready");
  fflush(stdout);
  for (int c; (c = getchar()) != EOF;) {
    if (c != '\n') continue;
    for (int i = 0; i < floods && !has_begun; i++) {
      pid_t parent = getpid();
      if (fork() != 0) continue;
      live_with(parent);
      flood();
    }
    has_begun = 1;
    run(agents, rate, length_ns, burst);
  }
  for (int i = 0; i < agents; i++) kill(pids[i], SIGKILL);
  return 0;
}
