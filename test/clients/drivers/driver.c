/* The C client behind the lines of test/clients/driver.ts: a command in, an answer out. */
#include "varta.h"

#include <pthread.h>
#include <sys/wait.h>

static varta_client client;
/* What the client to be opened says of itself. */
static char called[64];
static uint32_t called_ms;

static const char *told(varta_outcome outcome) {
  switch (outcome) {
    case VARTA_SENT: return "sent";
    case VARTA_QUEUE_FULL: return "dropped queue_full";
    case VARTA_NO_OBSERVER: return "dropped no_observer";
    case VARTA_CLOSED: return "dropped closed";
    case VARTA_BUSY: return "dropped busy";
    case VARTA_BAD_STATUS: return "failed bad_status";
    case VARTA_BAD_PATH: return "failed bad_path";
    default: return client.error == EACCES ? "failed EACCES" : "failed errno";
  }
}

static int status_of(const char *name) {
  if (strcmp(name, "ok") == 0) return VARTA_OK;
  if (strcmp(name, "degraded") == 0) return VARTA_DEGRADED;
  return strcmp(name, "critical") == 0 ? VARTA_CRITICAL : 3;
}

/* Beats until one is dropped and `more` times more: the last outcome, how many were sent, and how
   many of those to the full queue took longer than 5 ms. */
static void fill(int more) {
  int sent = 0, slow = 0, left = -1;
  varta_outcome last;
  do {
    uint64_t before_ns = varta_now_ns();
    last = varta_beat(&client, VARTA_OK, 0);
    uint64_t took_ns = varta_now_ns() - before_ns;
    if (last == VARTA_SENT) sent++;
    if (left > 0) {
      left--;
      if (took_ns > 5000000u) slow++;
    } else if (left < 0 && last != VARTA_SENT) {
      left = more;
    }
  } while (left != 0);
  printf("%s %d %d\n", told(last), sent, slow);
}

static void opened(enum varta_door door, const char *path) {
  varta_open_door(&client, door, path);
  if (*called != 0) varta_call(&client, called, called_ms);
  puts("done");
}

static void forked(int count, int then_close, char *answer, size_t bytes) {
  int ends[2];
  if (pipe(ends) != 0) exit(1);
  pid_t child = fork();
  if (child == 0) {
    char text[512];
    int at = snprintf(text, sizeof text, "%d ", (int)getpid());
    for (int n = 0; n < count; n++)
      at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", n ? "," : "",
                     told(varta_beat(&client, VARTA_OK, 0)));
    if (then_close) varta_close(&client);
    if (write(ends[1], text, (size_t)at) != at) _exit(1);
    _exit(0);
  }
  close(ends[1]);
  ssize_t got = read(ends[0], answer, bytes - 1);
  answer[got < 0 ? 0 : got] = 0;
  close(ends[0]);
  waitpid(child, NULL, 0);
}

struct batch { int count; int sent; };

static void *beat_batch(void *given) {
  struct batch *batch = (struct batch *)given;
  for (int n = 0; n < batch->count; n++)
    if (varta_beat(&client, VARTA_OK, 0) == VARTA_SENT) batch->sent++;
  return NULL;
}

static void threads(int thread_count, int count) {
  pthread_t running[16];
  struct batch batches[16];
  int sent = 0;
  for (int n = 0; n < thread_count; n++) {
    batches[n].count = count;
    batches[n].sent = 0;
    pthread_create(&running[n], NULL, beat_batch, &batches[n]);
  }
  for (int n = 0; n < thread_count; n++) {
    pthread_join(running[n], NULL);
    sent += batches[n].sent;
  }
  printf("%d\n", sent);
}

/* A child forked while another thread of its parent holds the client. */
static void fork_while_beating(int count) {
  char answer[600];
  const char *last = "";
  for (int n = 0; n < count; n++) {
    varta_hold(&client, (int)getpid());
    forked(1, 0, answer, sizeof answer);
    varta_release(&client);
    last = strchr(answer, ' ');
    if (last == NULL || strcmp(last, " sent") != 0) break;
  }
  printf("%s\n", last == NULL ? "nothing" : last + 1);
}

static void crash(int number) {
  varta_crash_beat(&client, 77);
  signal(number, SIG_DFL);
  raise(number);
}

int main(void) {
  char line[1024], answer[600];
  char word[8][256];
  while (fgets(line, sizeof line, stdin) != NULL) {
    memset(word, 0, sizeof word);
    int words = sscanf(line, "%255s %255s %255s %255s %255s %255s", word[0], word[1], word[2],
                       word[3], word[4], word[5]);
    const char *verb = word[0];
    if (strcmp(verb, "unix") == 0) {
      opened(VARTA_DATAGRAM, word[1]);
    } else if (strcmp(verb, "unix-stream") == 0) {
      opened(VARTA_STREAM, word[1]);
    } else if (strcmp(verb, "default") == 0) {
      varta_open(&client, NULL);
      puts("done");
    } else if (strcmp(verb, "beat") == 0) {
      puts(told(varta_beat(&client, status_of(word[1]), (uint32_t)strtoul(word[2], NULL, 10))));
    } else if (strcmp(verb, "crash") == 0) {
      puts(told(varta_crash_beat(&client, (uint32_t)strtoul(word[1], NULL, 10))));
    } else if (strcmp(verb, "fill") == 0) {
      fill(atoi(word[1]));
    } else if (strcmp(verb, "fork") == 0) {
      forked(atoi(word[1]), 0, answer, sizeof answer);
      puts(answer);
    } else if (strcmp(verb, "threads") == 0) {
      threads(atoi(word[1]), atoi(word[2]));
    } else if (strcmp(verb, "fork-while-beating") == 0) {
      fork_while_beating(atoi(word[1]));
    } else if (strcmp(verb, "encode") == 0 && words == 6) {
      uint8_t frame[VARTA_FRAME_BYTES];
      varta_encode(frame, (uint8_t)atoi(word[1]), (uint32_t)strtoul(word[2], NULL, 10),
                   strtoull(word[3], NULL, 10), strtoull(word[4], NULL, 10),
                   (uint32_t)strtoul(word[5], NULL, 10));
      for (int at = 0; at < VARTA_FRAME_BYTES; at++) printf("%02x", frame[at]);
      puts("");
    } else if (strcmp(verb, "crc") == 0) {
      uint8_t bytes[128];
      size_t count = strlen(word[1]) / 2;
      for (size_t at = 0; at < count; at++) {
        unsigned value;
        sscanf(word[1] + 2 * at, "%2x", &value);
        bytes[at] = (uint8_t)value;
      }
      printf("%08x\n", varta_crc32c(bytes, count));
    } else if (strcmp(verb, "die") == 0) {
      signal(SIGSEGV, crash);
      raise(SIGSEGV);
    } else if (strcmp(verb, "called") == 0) {
      snprintf(called, sizeof called, "%.63s", word[1]);
      called_ms = (uint32_t)strtoul(word[2], NULL, 10);
      puts("done");
    } else if (strcmp(verb, "fork-close") == 0) {
      forked(1, 1, answer, sizeof answer);
      puts(answer);
    } else if (strcmp(verb, "exit") == 0) {
      exit(atoi(word[1]));
    } else if (strcmp(verb, "hello") == 0 || strcmp(verb, "bye") == 0) {
      uint8_t control[VARTA_CONTROL_BYTES];
      int is_hello = strcmp(verb, "hello") == 0;
      varta_encode_control(control, is_hello ? VARTA_HELLO : VARTA_BYE,
                           (uint32_t)strtoul(word[1], NULL, 10), strtoull(word[2], NULL, 10),
                           (uint32_t)strtoul(word[3], NULL, 10), is_hello ? word[4] : NULL);
      for (int at = 0; at < VARTA_CONTROL_BYTES; at++) printf("%02x", control[at]);
      puts("");
    } else if (strcmp(verb, "close") == 0 || strcmp(verb, "goodbye") == 0) {
      varta_close(&client);
      puts("done");
    } else {
      printf("unknown %s\n", verb);
    }
    fflush(stdout);
  }
  return 0;
}
