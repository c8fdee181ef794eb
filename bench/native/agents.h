/*
 * What a beat costs a plain C program, beside which the daemon is measured: an agent table with
 * open addressing, the order of nonces, the time of the last beat, and the move to the young end of
 * the deadline list. Nothing that the daemon does beyond that (limits, origins, namespaces,
 * generations, event rows, metrics) is in it.
 */
#ifndef AGENTS_H
#define AGENTS_H

#include "vlp.h"

enum { AGENTS_MAX = 1 << 16, BUCKETS = 4 * AGENTS_MAX, NONE = -1 };

static uint32_t bucket_pid[BUCKETS];
static int32_t bucket_agent[BUCKETS];
static uint32_t agent_pid[AGENTS_MAX];
static uint64_t agent_nonce[AGENTS_MAX];
static uint64_t agent_last_ns[AGENTS_MAX];
static int32_t agent_prev[AGENTS_MAX], agent_next[AGENTS_MAX];
static int32_t agent_count, oldest = NONE, youngest = NONE;

static inline int agents_find(uint32_t pid) {
  uint32_t bucket = hash_pid(pid) & (BUCKETS - 1);
  while (bucket_pid[bucket] != 0) {
    if (bucket_pid[bucket] == pid) return bucket_agent[bucket];
    bucket = (bucket + 1) & (BUCKETS - 1);
  }
  return NONE;
}

static int agents_add(uint32_t pid) {
  if (agent_count == AGENTS_MAX) return NONE;
  uint32_t bucket = hash_pid(pid) & (BUCKETS - 1);
  while (bucket_pid[bucket] != 0) bucket = (bucket + 1) & (BUCKETS - 1);
  int agent = agent_count++;
  bucket_pid[bucket] = pid;
  bucket_agent[bucket] = agent;
  agent_pid[agent] = pid;
  agent_nonce[agent] = 0;
  agent_prev[agent] = youngest;
  agent_next[agent] = NONE;
  if (youngest == NONE) oldest = agent;
  else agent_next[youngest] = agent;
  youngest = agent;
  return agent;
}

static inline void agents_move_to_young_end(int agent) {
  if (agent == youngest) return;
  int before = agent_prev[agent], after = agent_next[agent];
  if (before == NONE) oldest = after;
  else agent_next[before] = after;
  agent_prev[after] = before;
  agent_next[youngest] = agent;
  agent_prev[agent] = youngest;
  agent_next[agent] = NONE;
  youngest = agent;
}

/* 1 if the beat is accepted. */
static inline int agents_record(const uint8_t *frame, uint64_t now_ns) {
  uint32_t pid;
  uint64_t nonce;
  memcpy(&pid, frame + 4, 4);
  memcpy(&nonce, frame + 16, 8);
  int agent = agents_find(pid);
  if (agent == NONE) agent = agents_add(pid);
  if (agent == NONE || nonce <= agent_nonce[agent]) return 0;
  agent_nonce[agent] = nonce;
  agent_last_ns[agent] = now_ns;
  agents_move_to_young_end(agent);
  return 1;
}

/* The rules of the wire in their order; `crc` is the checksum of the frame. 1 if it is valid. */
static inline int frame_is_valid(const uint8_t *frame, uint32_t crc) {
  uint32_t stated, pid;
  uint64_t timestamp, nonce;
  memcpy(&stated, frame + 28, 4);
  memcpy(&pid, frame + 4, 4);
  memcpy(&timestamp, frame + 8, 8);
  memcpy(&nonce, frame + 16, 8);
  if (frame[0] != 0x56 || frame[1] != 0x41 || frame[2] != 2) return 0;
  if (crc != stated || frame[3] > 2 || pid < 2 || timestamp == UINT64_MAX) return 0;
  return frame[3] == 2 || nonce != UINT64_MAX;
}

#endif
