/*
 * varta.h: tells varta-watch that this process lives, one 32-byte beat at a time.
 *
 * One header for C99 and C++, Linux. It allocates nothing, never blocks, never raises SIGPIPE,
 * and starts nothing. A beat that was not sent is lost, and the next one carries its nonce. Any
 * thread may beat; a forked child gets a socket and nonces of its own with its first beat.
 * The protocol is docs/spec/01-wire.md, the promises are docs/spec/21-clients.md.
 *
 *     static varta_client client;          // one for each process
 *     varta_open(&client, NULL);           // VARTA_STREAM, VARTA_SOCKET, else the default path
 *     for (;;) { work(); varta_beat(&client, VARTA_OK, 0); }
 *
 * Include it first, or compile with -D_POSIX_C_SOURCE=200809L: plain -std=c99 hides the clock.
 */
#ifndef VARTA_H
#define VARTA_H

#if !defined(_POSIX_C_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOCK_MONOTONIC
#error "varta.h: no CLOCK_MONOTONIC: include varta.h first, or add -D_POSIX_C_SOURCE=200809L"
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum varta_status { VARTA_OK = 0, VARTA_DEGRADED = 1, VARTA_CRITICAL = 2 };

/* What became of a beat. */
typedef enum varta_outcome {
  VARTA_SENT = 0,          /* the kernel took it */
  VARTA_QUEUE_FULL = 1,    /* dropped: the observer has not read what waits */
  VARTA_NO_OBSERVER = 2,   /* dropped: nothing listens there; a later beat connects */
  VARTA_CLOSED = 3,        /* dropped: varta_close() was called */
  VARTA_BUSY = 4,          /* dropped: inside another beat, as in a signal handler */
  VARTA_FAILED = 5,        /* the system refused: client->error has its errno */
  VARTA_BAD_STATUS = 6,    /* failed: fix the program */
  VARTA_BAD_PATH = 7,      /* failed: a socket path has 1 to 107 bytes */
  VARTA_BAD_NAME = 8       /* of varta_call(): beats go on without a hello */
} varta_outcome;

#define VARTA_OUTCOMES 9

enum varta_door { VARTA_DATAGRAM = 0, VARTA_STREAM = 1 };

typedef struct varta_client {
  /* Live counters, for a log. */
  uint64_t sent;
  uint64_t dropped;
  uint64_t failed;
  uint64_t connects;
  /* errno of the last VARTA_FAILED. */
  int error;
  /* Of the last beat, also of a fake. */
  int status;
  uint32_t payload;
  /* The rest is the client's own. */
  int door;
  int is_open;
  int fd;
  /* Process that holds the client, 0 = free. A child finds the pid of its parent there and takes
     it over: the thread that held it does not exist in the child. */
  int holder;
  int pid;
  varta_outcome unconnected;
  uint64_t nonce;
  uint64_t timestamp;
  uint64_t retry_at_ns;
  uint32_t jitter;
  /* What a stream took only in part: it goes ahead of the next frame. */
  uint8_t rest[64];
  size_t rest_bytes;
  /* The process that opened it: it alone says bye. */
  int maker;
  /* A hello is said with the next beat, if there is one to say. */
  int is_fake;
  void (*log)(const char *line);
  /* Of each outcome, when it was last told. */
  uint64_t told_ns[VARTA_OUTCOMES];
  /* Of varta_beat_every(). */
  uint64_t next_beat_ns;
  int has_greeting;
  int owes_hello;
  uint32_t interval_ms;
  char name[40];
  struct sockaddr_un address;
} varta_client;

#define VARTA_FRAME_BYTES 32
/* A hello or a bye (docs/spec/01-wire.md section 9). */
#define VARTA_CONTROL_BYTES 64
#define VARTA_NAME_BYTES_MAX 40
#define VARTA_HELLO 1
#define VARTA_BYE 2
#define VARTA_NONCE_TERMINAL UINT64_MAX
/* Least time between two attempts to connect; up to half as much again is added. */
#define VARTA_RECONNECT_NS 100000000u
/* A cause is told when it begins, and once a minute at most. */
#define VARTA_LOG_AGAIN_NS 60000000000u
/* Another thread holds the client for a few microseconds. One that was taken off its core in the
   middle of a beat is not waited for. */
#define VARTA_YIELDS_MAX 1000

/* CRC-32C, a bit at a time: 28 bytes are a fraction of the system call that follows. */
static inline uint32_t varta_crc32c(const uint8_t *bytes, size_t count) {
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t at = 0; at < count; at++) {
    crc ^= bytes[at];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
  }
  return ~crc;
}

static inline void varta_put(uint8_t *to, uint64_t value, int byte_count) {
  for (int at = 0; at < byte_count; at++) to[at] = (uint8_t)(value >> (8 * at));
}

static inline void varta_encode(uint8_t frame[VARTA_FRAME_BYTES], uint8_t status, uint32_t pid,
                                uint64_t timestamp, uint64_t nonce, uint32_t payload) {
  frame[0] = 0x56;
  frame[1] = 0x41;
  frame[2] = 2;
  frame[3] = status;
  varta_put(frame + 4, pid, 4);
  varta_put(frame + 8, timestamp, 8);
  varta_put(frame + 16, nonce, 8);
  varta_put(frame + 24, payload, 4);
  varta_put(frame + 28, varta_crc32c(frame, 28), 4);
}

/* `name` is padded with NUL, and NULL of a bye. */
static inline void varta_encode_control(uint8_t control[VARTA_CONTROL_BYTES], uint8_t kind,
                                        uint32_t pid, uint64_t nonce, uint32_t interval_ms,
                                        const char *name) {
  memset(control, 0, VARTA_CONTROL_BYTES);
  control[0] = 0x56;
  control[1] = 0x43;
  control[2] = 1;
  control[3] = kind;
  varta_put(control + 4, pid, 4);
  varta_put(control + 8, nonce, 8);
  varta_put(control + 16, interval_ms, 4);
  for (int at = 0; name != NULL && at < VARTA_NAME_BYTES_MAX && name[at] != 0; at++)
    control[20 + at] = (uint8_t)name[at];
  varta_put(control + 60, varta_crc32c(control, 60), 4);
}

static inline uint64_t varta_now_ns(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline varta_outcome varta_outcome_of(varta_client *client, int error) {
  switch (error) {
    case EAGAIN:
    case ENOBUFS:
      return VARTA_QUEUE_FULL;
    case ECONNREFUSED:
    case ENOENT:
    case ENOTCONN:
    case ECONNRESET:
    case EPIPE:
      return VARTA_NO_OBSERVER;
    default:
      client->error = error;
      return VARTA_FAILED;
  }
}

/* A connected socket of its own, or -1 with errno. */
static inline int varta_dial(const varta_client *client) {
  int type = client->door == VARTA_STREAM ? SOCK_STREAM : SOCK_DGRAM;
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, (const struct sockaddr *)&client->address, sizeof client->address) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static inline void varta_disconnect(varta_client *client) {
  if (client->fd >= 0) close(client->fd);
  client->fd = -1;
  client->rest_bytes = 0;
}

static inline int varta_connect(varta_client *client, uint64_t now_ns) {
  if (now_ns < client->retry_at_ns) return 0;
  /* A small generator, seeded by the clock: clients do not come back together. */
  client->jitter = client->jitter * 1664525u + 1013904223u + (uint32_t)now_ns;
  client->retry_at_ns = now_ns + VARTA_RECONNECT_NS + client->jitter % (VARTA_RECONNECT_NS / 2);
  client->fd = varta_dial(client);
  if (client->fd < 0) {
    client->unconnected = varta_outcome_of(client, errno);
    return 0;
  }
  client->connects++;
  client->owes_hello = client->has_greeting;
  return 1;
}

/* 1 = the bytes were taken (or their rest is kept), 0 = errno says why not. */
static inline int varta_write(varta_client *client, const uint8_t *bytes, size_t count) {
  if (client->rest_bytes > 0) {
    ssize_t sent = send(client->fd, client->rest, client->rest_bytes, MSG_NOSIGNAL);
    if (sent < 0) return 0;
    client->rest_bytes -= (size_t)sent;
    memmove(client->rest, client->rest + sent, client->rest_bytes);
    if (client->rest_bytes > 0) {
      errno = EAGAIN;
      return 0;
    }
  }
  ssize_t sent = send(client->fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0) return 0;
  client->rest_bytes = count - (size_t)sent;
  memcpy(client->rest, bytes + sent, client->rest_bytes);
  return 1;
}

/* All-ones marks a crash beat: after 2^64-2 comes 0. */
static inline void varta_advance(varta_client *client) {
  client->nonce = client->nonce == VARTA_NONCE_TERMINAL - 1 ? 0 : client->nonce + 1;
}

/* A hello that is not taken is said again with the next beat. */
static inline void varta_greet(varta_client *client) {
  uint8_t control[VARTA_CONTROL_BYTES];
  if (!client->owes_hello || client->fd < 0) return;
  varta_encode_control(control, VARTA_HELLO, (uint32_t)client->pid, client->nonce,
                       client->interval_ms, client->name);
  if (!varta_write(client, control, sizeof control)) return;
  client->owes_hello = 0;
  varta_advance(client);
}

static inline varta_outcome varta_send(varta_client *client, const uint8_t *frame,
                                       uint64_t now_ns) {
  if (varta_write(client, frame, VARTA_FRAME_BYTES)) return VARTA_SENT;
  varta_outcome outcome = varta_outcome_of(client, errno);
  if (outcome == VARTA_QUEUE_FULL) return outcome;
  /* The observer is gone, perhaps because it was restarted: one new socket, one new attempt. */
  varta_disconnect(client);
  client->unconnected = outcome;
  if (!varta_connect(client, now_ns)) return client->unconnected;
  return varta_write(client, frame, VARTA_FRAME_BYTES) ? VARTA_SENT
                                                       : varta_outcome_of(client, errno);
}

/* A forked child has a socket and nonces of its own: what it wrote into the socket of its parent
   would be refused, since the kernel names the sender. */
static inline void varta_enter(varta_client *client, int pid) {
  if (client->pid == pid) return;
  varta_disconnect(client);
  client->pid = pid;
  client->nonce = 1;
  client->retry_at_ns = 0;
}

/* Takes the client for this thread; 0 = it is held. */
static inline int varta_hold(varta_client *client, int pid) {
  for (int tries = 0; tries < VARTA_YIELDS_MAX; tries++) {
    int holder = __atomic_load_n(&client->holder, __ATOMIC_RELAXED);
    if (holder != pid && __atomic_compare_exchange_n(&client->holder, &holder, pid, 0,
                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return 1;
    sched_yield();
  }
  return 0;
}

static inline void varta_release(varta_client *client) {
  __atomic_store_n(&client->holder, 0, __ATOMIC_RELEASE);
}

static inline const char *varta_text(varta_outcome outcome);

/* Of two threads that meet the same cause at once both may tell it. */
static inline void varta_tell(varta_client *client, varta_outcome outcome) {
  if (client->log == NULL || outcome == VARTA_SENT || outcome == VARTA_BUSY) return;
  uint64_t now_ns = varta_now_ns();
  uint64_t told_ns = __atomic_load_n(&client->told_ns[outcome], __ATOMIC_RELAXED);
  if (told_ns != 0 && now_ns - told_ns < VARTA_LOG_AGAIN_NS) return;
  __atomic_store_n(&client->told_ns[outcome], now_ns, __ATOMIC_RELAXED);
  client->log(varta_text(outcome));
}

static inline varta_outcome varta_count(varta_client *client, varta_outcome outcome) {
  uint64_t *counter = outcome == VARTA_SENT     ? &client->sent
                      : outcome >= VARTA_FAILED ? &client->failed
                                                : &client->dropped;
  __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
  return outcome;
}

/* Opens `client` for the listener at `path`; nothing has to listen there yet. */
static inline varta_outcome varta_open_door(varta_client *client, enum varta_door door,
                                            const char *path) {
  memset(client, 0, sizeof *client);
  client->fd = -1;
  client->door = door;
  client->nonce = 1;
  client->unconnected = VARTA_NO_OBSERVER;
  client->maker = (int)getpid();
  client->address.sun_family = AF_UNIX;
  size_t path_bytes = path == NULL ? 0 : strlen(path);
  client->is_open = 1;
  if (path_bytes == 0 || path_bytes >= sizeof client->address.sun_path) return VARTA_BAD_PATH;
  memcpy(client->address.sun_path, path, path_bytes);
  return VARTA_SENT;
}

/*
 * Opens `client` for the datagram listener at `path`. NULL: the stream listener at VARTA_STREAM,
 * else the datagram listener at VARTA_SOCKET, else the default path of this user.
 */
static inline varta_outcome varta_open(varta_client *client, const char *path) {
  char made[sizeof client->address.sun_path + 16];
  if (path != NULL) return varta_open_door(client, VARTA_DATAGRAM, path);
  const char *stream = getenv("VARTA_STREAM");
  if (stream != NULL && *stream != 0) return varta_open_door(client, VARTA_STREAM, stream);
  const char *datagram = getenv("VARTA_SOCKET");
  if (datagram != NULL && *datagram != 0) return varta_open_door(client, VARTA_DATAGRAM, datagram);
  if (geteuid() == 0) return varta_open_door(client, VARTA_DATAGRAM, "/run/varta/varta.sock");
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  const char *temporary = getenv("TMPDIR");
  int bytes;
  if (runtime != NULL && *runtime == '/') {
    bytes = snprintf(made, sizeof made, "%s/varta/varta.sock", runtime);
  } else {
    if (temporary == NULL || *temporary != '/') temporary = "/tmp";
    bytes = snprintf(made, sizeof made, "%s/varta-%u/varta.sock", temporary, (unsigned)geteuid());
  }
  int fits = bytes > 0 && (size_t)bytes < sizeof made;
  return varta_open_door(client, VARTA_DATAGRAM, fits ? made : "");
}

/*
 * After varta_open(): what this process wants to be called, which is honoured where its rule says
 * `announce` (NULL = nothing), and how often it beats, three times which is the threshold it asks
 * for (0 = nothing). It is said with the next beat, and again on a new connection.
 */
static inline varta_outcome varta_call(varta_client *client, const char *name,
                                       uint32_t interval_ms) {
  size_t count = name == NULL ? 0 : strlen(name);
  size_t digits = 0;
  if (name != NULL && (count == 0 || count > VARTA_NAME_BYTES_MAX || strcmp(name, "other") == 0))
    return VARTA_BAD_NAME;
  for (size_t at = 0; at < count; at++) {
    char letter = name[at];
    int is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    int is_digit = letter >= '0' && letter <= '9';
    if (!is_letter && !is_digit && strchr("_.@:-", letter) == NULL) return VARTA_BAD_NAME;
    digits += (size_t)is_digit;
  }
  if (count > 0 && digits == count) return VARTA_BAD_NAME;
  memset(client->name, 0, sizeof client->name);
  if (count > 0) memcpy(client->name, name, count);
  client->interval_ms = interval_ms;
  client->has_greeting = 1;
  client->owes_hello = 1;
  return VARTA_SENT;
}

static inline varta_outcome varta_beat_held(varta_client *client, int status, uint32_t payload,
                                            int pid) {
  uint8_t frame[VARTA_FRAME_BYTES];
  if (!client->is_open) return VARTA_CLOSED;
  client->status = status;
  client->payload = payload;
  if (client->is_fake) return VARTA_SENT;
  if (client->address.sun_path[0] == 0) return VARTA_BAD_PATH;
  varta_enter(client, pid);
  uint64_t now_ns = varta_now_ns();
  if (now_ns > client->timestamp) client->timestamp = now_ns;
  if (client->fd < 0 && !varta_connect(client, now_ns)) return client->unconnected;
  varta_greet(client);
  varta_encode(frame, (uint8_t)status, (uint32_t)pid, client->timestamp, client->nonce, payload);
  varta_outcome outcome = varta_send(client, frame, now_ns);
  if (outcome == VARTA_SENT) varta_advance(client);
  return outcome;
}

/* Sends one beat and returns at once with what became of it. */
static inline varta_outcome varta_beat(varta_client *client, int status, uint32_t payload) {
  varta_outcome outcome = VARTA_BAD_STATUS;
  int host_errno = errno;
  if (status >= VARTA_OK && status <= VARTA_CRITICAL) {
    int pid = (int)getpid();
    outcome = VARTA_BUSY;
    if (varta_hold(client, pid)) {
      outcome = varta_beat_held(client, status, payload, pid);
      varta_release(client);
    }
  }
  varta_count(client, outcome);
  varta_tell(client, outcome);
  errno = host_errno;
  return outcome;
}

/*
 * For a loop that turns more often: at most one beat in `interval_ms`, with the status that
 * `is_alive(context)` says; negative = not known to be alive, no beat. NULL shows only that the loop
 * turns. VARTA_SENT also where it is not time yet.
 */
static inline varta_outcome varta_beat_every(varta_client *client, uint32_t interval_ms,
                                             int (*is_alive)(void *context), void *context) {
  uint64_t now_ns = varta_now_ns();
  if (now_ns < client->next_beat_ns) return VARTA_SENT;
  client->next_beat_ns = now_ns + (uint64_t)interval_ms * 1000000u;
  int status = is_alive == NULL ? VARTA_OK : is_alive(context);
  return status < 0 ? VARTA_SENT : varta_beat(client, status, 0);
}

/* `write` gets one line for a cause, once a minute at most, on the thread that beats. */
static inline void varta_log_to(varta_client *client, void (*write)(const char *line)) {
  client->log = write;
}

/* For unit tests: beats are sent nowhere; client->sent, status and payload tell of them. */
static inline void varta_open_fake(varta_client *client) {
  varta_open_door(client, VARTA_DATAGRAM, NULL);
  client->is_fake = 1;
}

/*
 * Says that this process is about to die. Async-signal-safe: it takes no lock, since the signal may
 * have come in the middle of a beat, and goes by the client's own connection where that is whole,
 * else by a new one.
 */
static inline varta_outcome varta_crash_beat(varta_client *client, uint32_t payload) {
  if (!client->is_open) return varta_count(client, VARTA_CLOSED);
  if (client->is_fake) return varta_count(client, VARTA_SENT);
  if (client->address.sun_path[0] == 0) return varta_count(client, VARTA_BAD_PATH);
  int host_errno = errno;
  int pid = (int)getpid();
  uint64_t now_ns = varta_now_ns();
  /* Greater than that of every beat before: the nonce of all crash beats is the same. */
  client->timestamp = now_ns > client->timestamp ? now_ns : client->timestamp + 1;
  uint8_t frame[VARTA_FRAME_BYTES];
  varta_encode(frame, VARTA_CRITICAL, (uint32_t)pid, client->timestamp, VARTA_NONCE_TERMINAL,
               payload);
  int is_whole = client->fd >= 0 && client->pid == pid && client->rest_bytes == 0;
  ssize_t sent = -1;
  if (is_whole) sent = send(client->fd, frame, sizeof frame, MSG_NOSIGNAL);
  varta_outcome outcome = VARTA_SENT;
  if (sent != (ssize_t)sizeof frame) {
    int fd = varta_dial(client);
    if (fd >= 0) sent = send(fd, frame, sizeof frame, MSG_NOSIGNAL);
    if (fd < 0 || sent != (ssize_t)sizeof frame) outcome = varta_outcome_of(client, errno);
    if (fd >= 0) close(fd);
  }
  errno = host_errno;
  return varta_count(client, outcome);
}

/*
 * Says bye and closes the socket. Later beats are VARTA_CLOSED. After a bye this process owes no
 * beats, and its end is a clean one: call it where the work is done, and not where it failed. A
 * forked child says none for its parent.
 */
static inline void varta_close(varta_client *client) {
  int pid = (int)getpid();
  int is_held = varta_hold(client, pid);
  uint8_t control[VARTA_CONTROL_BYTES];
  if (client->fd >= 0 && client->sent > 0 && client->pid == pid && client->maker == pid) {
    varta_encode_control(control, VARTA_BYE, (uint32_t)pid, client->nonce, 0, NULL);
    varta_write(client, control, sizeof control);
  }
  client->is_open = 0;
  varta_disconnect(client);
  if (is_held) varta_release(client);
}

/* One sentence for a log. */
static inline const char *varta_text(varta_outcome outcome) {
  switch (outcome) {
    case VARTA_SENT:
      return "Beat sent";
    case VARTA_QUEUE_FULL:
      return "Beat dropped: the queue to the observer is full";
    case VARTA_NO_OBSERVER:
      return "Beat dropped: no observer listens there";
    case VARTA_CLOSED:
      return "Beat dropped: the client was closed";
    case VARTA_BUSY:
      return "Beat dropped: another beat of this client is being sent";
    case VARTA_BAD_STATUS:
      return "cannot send beat: status must be VARTA_OK, VARTA_DEGRADED or VARTA_CRITICAL";
    case VARTA_BAD_PATH:
      return "cannot send beat: a socket path must have 1..107 bytes";
    case VARTA_BAD_NAME:
      return "Cannot say hello: a name must have 1..40 letters, digits, _ . @ : or -, and be neither "
             "digits alone nor \"other\"";
    default:
      return "cannot send beat: the system refused, see error";
  }
}

#ifdef __cplusplus
}
#endif
#endif
