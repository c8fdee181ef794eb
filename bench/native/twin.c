/*
 * The C twin of the daemon's beat path without the kernel, as a shared library: it is given the
 * very same receive arenas (message headers, frames, control messages) and is timed in the same
 * process, in turn with the daemon's code.
 */
#define _GNU_SOURCE
#include "agents.h"
#include <sys/socket.h>

enum { DATA_STRIDE = 64, CONTROL_STRIDE = 32 };

void twin_open(void) {
  crc_table_fill();
  memset(bucket_pid, 0, sizeof bucket_pid);
  agent_count = 0;
  oldest = youngest = NONE;
}

/* The same beats come again: what was seen of them is forgotten. */
void twin_forget_nonces(void) {
  memset(agent_nonce, 0, (size_t)agent_count * sizeof *agent_nonce);
}

uint32_t twin_crc(const uint8_t *data, int count) {
  uint32_t sum = 0;
  for (int i = 0; i < count; i++) sum += crc_by_table(data + i * DATA_STRIDE);
  return sum;
}

int twin_decode(const uint8_t *data, int count) {
  int valid = 0;
  for (int i = 0; i < count; i++) {
    const uint8_t *frame = data + i * DATA_STRIDE;
    valid += frame_is_valid(frame, crc_by_table(frame));
  }
  return valid;
}

int twin_track(const uint8_t *data, int count, double now_ns) {
  int accepted = 0;
  for (int i = 0; i < count; i++) accepted += agents_record(data + i * DATA_STRIDE, (uint64_t)now_ns);
  return accepted;
}

/*
 * Everything but the receive call: lengths, flags, credentials, decode, sender check, record; then
 * the headers are made ready for the next receive.
 */
int twin_take(struct mmsghdr *headers, const uint8_t *data, const uint8_t *control, int count, double now_ns, int sse) {
  int accepted = 0;
  for (int i = 0; i < count; i++) {
    struct mmsghdr *header = &headers[i];
    const uint8_t *frame = data + i * DATA_STRIDE;
    struct cmsghdr credentials;
    struct ucred peer;
    uint32_t pid;
    size_t control_length = header->msg_hdr.msg_controllen;
    header->msg_hdr.msg_controllen = CONTROL_STRIDE;
    if (header->msg_hdr.msg_flags & MSG_CTRUNC || header->msg_len != FRAME_SIZE) continue;
    if (control_length < CMSG_LEN(sizeof peer)) continue;
    memcpy(&credentials, control + i * CONTROL_STRIDE, sizeof credentials);
    if (credentials.cmsg_level != SOL_SOCKET || credentials.cmsg_type != SCM_CREDENTIALS) continue;
    memcpy(&peer, control + i * CONTROL_STRIDE + sizeof credentials, sizeof peer);
    if (!frame_is_valid(frame, sse ? crc_fast(frame) : crc_by_table(frame))) continue;
    memcpy(&pid, frame + 4, 4);
    if (peer.pid != 0 && (uint32_t)peer.pid != pid) continue;
    accepted += agents_record(frame, (uint64_t)now_ns);
  }
  return accepted;
}
