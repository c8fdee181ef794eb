/*
 * A crew of real processes for end-to-end tests: agents that beat under the pid and credentials
 * that the kernel gives them, and datagrams of every hostile kind. Commands come on stdin, one per
 * line, each answered by one line on stdout; at the end of stdin every agent is ended and reaped,
 * since not every init does so at once; if the crew is killed, they die with it.
 *
 *   crew SOCKET
 *   agents COUNT INTERVAL_MS BEATS STATUS STAMPED
 *       forks agents; BEATS 0 = until "quiet"; STAMPED 1 = the payload is the time in us
 *       -> agents PID...
 *   impatient
 *       agents that are forked from now on leave out a beat that the kernel refuses, as the client
 *       library does -> impatient
 *   streams CONNECTIONS UIDS HEIR_EVERY
 *       agents that are forked from now on write to a stream socket, by so many connections each in
 *       turn, as one of UIDS users (0 = the crew's own); every 50th beat is the last one of its
 *       connection. Each HEIR_EVERY-th (0 = none) has a child that has its connections, too, and
 *       goes on beating for it for a second when it is dead -> streams
 *   notify
 *       agents that are forked from now on say WATCHDOG=1, instead of sending frames -> notify
 *   reuse PID INTERVAL_MS
 *       the next fork has this very pid (own pid namespace only); interval 0 = it never beats
 *       -> agents PID
 *   quiet
 *       agents fall silent and stay alive -> sent PID:BEATS...
 *   refused
 *       sends that the kernel refused all agents up to now, because the queue was full and for other
 *       causes -> refused FULL OTHER
 *   signal PID NUMBER
 *       signals an agent -> signalled PID
 *   kill PID
 *       SIGKILL; the pid is free afterwards -> sent PID:BEATS
 *   short COUNT PER_SECOND
 *       forks processes that beat twice, the second time after 10 ms, end with 0, and are reaped
 *       -> ended COUNT
 *   send COUNT SIZE DESCRIPTORS CONTENT PID
 *       from the crew itself, CONTENT = zeros, random or beat -> sent COUNT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AGENTS_MAX = 8192, BATCH = 64, DESCRIPTORS_MAX = 253, DATAGRAM_MAX = 65507, CONNECTIONS_MAX = 16 };
enum { BEATS_PER_CONNECTION = 50, UID_FIRST = 60000 };

struct shared {
  volatile int quiet;
  volatile uint64_t full, other;
  struct agent {
    volatile int pid;
    volatile int finished;
    volatile uint64_t sent;
  } agents[AGENTS_MAX];
};

static struct shared *shared;
static int agent_count, stamped, impatient, notify;
static int connections, uids, heir_every;
static int connection[CONNECTIONS_MAX];
static struct sockaddr_un observer = {.sun_family = AF_UNIX};

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void sleep_until(uint64_t ns) {
  struct timespec t = {.tv_sec = ns / 1000000000ull, .tv_nsec = ns % 1000000000ull};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

static uint32_t crc32c(const uint8_t *bytes, int size) {
  uint32_t crc = 0xffffffff;
  for (int i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

static void put_frame(uint8_t *frame, int status, uint32_t pid, uint64_t nonce) {
  uint64_t timestamp = now_ns();
  uint32_t payload = stamped ? timestamp / 1000 : 0;
  memcpy(frame, (uint8_t[]){'V', 'A', 2, (uint8_t)status}, 4);
  memcpy(frame + 4, &pid, 4);
  memcpy(frame + 8, &timestamp, 8);
  memcpy(frame + 16, &nonce, 8);
  memcpy(frame + 24, &payload, 4);
  uint32_t crc = crc32c(frame, 28);
  memcpy(frame + 28, &crc, 4);
}

static void fail(const char *what) {
  fprintf(stderr, "crew: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int connect_stream(void) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connect(fd, (void *)&observer, sizeof observer) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* After a failure the next beat of the connection makes it anew. */
static int send_by_stream(const uint8_t *frame, uint64_t nonce) {
  int *fd = &connection[nonce % connections];
  if (*fd < 0 && (*fd = connect_stream()) < 0) return 0;
  int is_sent = send(*fd, frame, 32, MSG_NOSIGNAL) == 32;
  if (is_sent && nonce % BEATS_PER_CONNECTION != 0) return 1;
  int error = errno;
  close(*fd);
  *fd = -1;
  errno = error;
  return is_sent;
}

static int send_beat(int fd, const uint8_t *frame, uint64_t nonce) {
  if (connections > 0) return send_by_stream(frame, nonce);
  static const char text[] = "WATCHDOG=1";
  if (notify) return sendto(fd, text, sizeof text - 1, 0, (void *)&observer, sizeof observer) > 0;
  return sendto(fd, frame, 32, 0, (void *)&observer, sizeof observer) == 32;
}

/* Beats for its parent, once that is dead. */
static void inherit(pid_t parent) {
  sigset_t death;
  sigemptyset(&death);
  sigaddset(&death, SIGUSR1);
  sigprocmask(SIG_BLOCK, &death, NULL);
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  int signal_number;
  if (getppid() == parent) sigwait(&death, &signal_number);
  uint8_t frame[32];
  for (int i = 0; i < 20; i++) {
    put_frame(frame, 0, parent, 1000000 + i);
    for (int c = 0; c < connections; c++) send(connection[c], frame, sizeof frame, MSG_NOSIGNAL | MSG_DONTWAIT);
    usleep(50000);
  }
  _exit(0);
}

static void open_streams(int number) {
  uid_t uid = UID_FIRST + number % (uids > 0 ? uids : 1);
  if (uids > 0 && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) fail("setresuid");
  for (int c = 0; c < connections; c++) connection[c] = connect_stream();
  pid_t self = getpid();
  if (heir_every > 0 && number % heir_every == 0 && fork() == 0) inherit(self);
}

/*
 * A beat that the kernel refused is sent again under the same nonce; one that it took is counted.
 * Not at once: a few hundred agents that ask every millisecond for one of ten places leave no
 * processor to the daemon that would empty the queue.
 */
static void beat_for_ever(struct agent *self, uint64_t interval_ns, uint64_t beats, int status, uint64_t first_ns) {
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  uint64_t next = first_ns;
  uint64_t again_ns = interval_ns / 8 > 1000000 ? interval_ns / 8 : 1000000;
  if (impatient) again_ns = interval_ns;
  uint8_t frame[32];
  while (!shared->quiet && (beats == 0 || self->sent < beats)) {
    sleep_until(next);
    if (shared->quiet) break;
    put_frame(frame, status, getpid(), self->sent + 1);
    if (send_beat(fd, frame, self->sent + 1)) {
      self->sent++;
      next += interval_ns;
      if (next < now_ns()) next = now_ns() + interval_ns;
    } else {
      __atomic_add_fetch(errno == EAGAIN ? &shared->full : &shared->other, 1, __ATOMIC_RELAXED);
      next = now_ns() + again_ns;
    }
  }
  self->finished = 1;
  for (;;) pause();
}

static void live_shortly(void) {
  // One that waited for a place in a short queue could be silent for longer than any threshold.
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  uint8_t frame[32];
  for (int nonce = 1; nonce <= 2; nonce++) {
    put_frame(frame, 0, getpid(), nonce);
    for (int tries = 0; tries < 10; tries++) {
      if (sendto(fd, frame, sizeof frame, 0, (void *)&observer, sizeof observer) > 0) break;
      sleep_until(now_ns() + 1000000);
    }
    if (nonce == 1) sleep_until(now_ns() + 10000000);
  }
  _exit(0);
}

static int short_lives(int count, int per_second) {
  uint64_t start = now_ns();
  int ended = 0;
  for (int i = 0; i < count; i++) {
    sleep_until(start + 1000000000ull * i / per_second);
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) live_shortly();
    while (waitpid(-1, NULL, WNOHANG) > 0) ended++;
  }
  while (waitpid(-1, NULL, 0) > 0) ended++;
  return ended;
}

static int start_agent(uint64_t interval_ns, uint64_t beats, int status, uint64_t first_ns) {
  if (agent_count == AGENTS_MAX) return 0;
  struct agent *self = &shared->agents[agent_count];
  memset(self, 0, sizeof *self);
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    if (connections > 0) open_streams(agent_count);
    // After the change of the user, which takes it back.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    self->finished = interval_ns == 0;
    while (interval_ns == 0) pause();
    beat_for_ever(self, interval_ns, beats, status, first_ns);
  }
  self->pid = pid;
  agent_count++;
  return pid;
}

static void agents(int count, int interval_ms, uint64_t beats, int status) {
  uint64_t interval_ns = interval_ms * 1000000ull, start = now_ns();
  printf("agents");
  for (int i = 0; i < count; i++)
    printf(" %d", start_agent(interval_ns, beats, status, start + interval_ns * i / count));
  printf("\n");
}

static uint64_t end_agent(int pid) {
  for (int i = 0; i < agent_count; i++) {
    struct agent *agent = &shared->agents[i];
    if (agent->pid != pid) continue;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    agent->pid = 0;
    return agent->sent;
  }
  return 0;
}

static void end_agents(void) {
  for (int i = 0; i < agent_count; i++)
    if (shared->agents[i].pid != 0) kill(shared->agents[i].pid, SIGKILL);
  while (wait(NULL) > 0 || errno == EINTR) {}
}

/* The kernel hands out the pid after the last one of the namespace, which its init may set. */
static int fork_with_pid(int pid, int interval_ms) {
  for (int attempt = 0; attempt < 50; attempt++) {
    FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
    if (last == NULL || fprintf(last, "%d", pid - 1) < 0 || fclose(last) != 0) fail("ns_last_pid");
    int got = start_agent(interval_ms * 1000000ull, 0, 0, now_ns());
    if (got == pid) return got;
    end_agent(got);
  }
  return 0;
}

static void quiet(void) {
  shared->quiet = 1;
  for (int i = 0; i < agent_count; i++)
    while (shared->agents[i].pid != 0 && !shared->agents[i].finished) usleep(1000);
  printf("sent");
  for (int i = 0; i < agent_count; i++)
    if (shared->agents[i].pid != 0)
      printf(" %d:%llu", shared->agents[i].pid, (unsigned long long)shared->agents[i].sent);
  printf("\n");
}

static void refused(void) {
  printf("refused %llu %llu\n", (unsigned long long)shared->full, (unsigned long long)shared->other);
}

static void put_random(uint8_t *bytes, int size) {
  static uint64_t state = 0xc0ffee;
  for (int i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    bytes[i] = state;
  }
}

static long send_datagrams(long count, int size, int descriptors, const char *content, uint32_t pid) {
  static uint8_t data[BATCH][DATAGRAM_MAX];
  static union {
    char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    struct cmsghdr align;
  } control;
  static uint64_t nonce;
  struct mmsghdr headers[BATCH];
  struct iovec parts[BATCH];
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0), extra = open("/dev/null", O_RDONLY);
  struct cmsghdr *header = &control.align;
  header->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  for (int i = 0; i < descriptors; i++) memcpy(CMSG_DATA(header) + i * sizeof(int), &extra, sizeof extra);
  if (connect(fd, (void *)&observer, sizeof observer) != 0) fail("connect");
  memset(data, 0, sizeof data);
  for (long done = 0; done < count;) {
    int batch = count - done < BATCH ? count - done : BATCH;
    for (int i = 0; i < batch; i++) {
      if (strcmp(content, "random") == 0) put_random(data[i], size);
      if (strcmp(content, "beat") == 0) put_frame(data[i], 0, pid, ++nonce);
      parts[i] = (struct iovec){data[i], size};
      headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
      if (descriptors == 0) continue;
      headers[i].msg_hdr.msg_control = &control;
      headers[i].msg_hdr.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
    }
    for (int off = 0; off < batch;) {
      int sent = sendmmsg(fd, headers + off, batch - off, 0);
      if (sent > 0) off += sent;
      else if (errno == ETOOMANYREFS) usleep(1000);
      else if (errno == EPERM && descriptors > 0) off++; /* The observer's kernel refuses them at the sender. */
      else if (errno != EINTR) fail("sendmmsg");
    }
    done += batch;
  }
  close(fd);
  close(extra);
  return count;
}

int main(int argc, char **argv) {
  if (argc != 2 || strlen(argv[1]) >= sizeof observer.sun_path) {
    fprintf(stderr, "usage: crew SOCKET\n");
    return 2;
  }
  strcpy(observer.sun_path, argv[1]);
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char line[256], content[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    int a, b, status;
    long long n;
    if (sscanf(line, "agents %d %d %lld %d %d", &a, &b, &n, &status, &stamped) == 5) agents(a, b, n, status);
    else if (strcmp(line, "impatient\n") == 0) impatient = 1, printf("impatient\n");
    else if (strcmp(line, "notify\n") == 0) notify = 1, printf("notify\n");
    else if (sscanf(line, "streams %d %d %d", &connections, &uids, &heir_every) == 3 && connections <= CONNECTIONS_MAX)
      prctl(PR_SET_CHILD_SUBREAPER, 1), printf("streams\n");
    else if (sscanf(line, "reuse %d %d", &a, &b) == 2) printf("agents %d\n", fork_with_pid(a, b));
    else if (sscanf(line, "short %d %d", &a, &b) == 2) printf("ended %d\n", short_lives(a, b));
    else if (strcmp(line, "quiet\n") == 0) quiet();
    else if (strcmp(line, "refused\n") == 0) refused();
    else if (sscanf(line, "signal %d %d", &a, &b) == 2) printf("signalled %d\n", kill(a, b) == 0 ? a : 0);
    else if (sscanf(line, "kill %d", &a) == 1) printf("sent %d:%llu\n", a, (unsigned long long)end_agent(a));
    else if (sscanf(line, "send %lld %d %d %15s %d", &n, &a, &b, content, &status) == 5 && a <= DATAGRAM_MAX &&
             b <= DESCRIPTORS_MAX)
      printf("sent %ld\n", send_datagrams(n, a, b, content, status));
    else {
      fprintf(stderr, "crew: no such command: %s", line);
      return 2;
    }
    fflush(stdout);
  }
  end_agents();
  return 0;
}
