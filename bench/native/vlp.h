/*
 * What the native programs of the benchmark share: the 32-byte frame of the wire protocol, its two
 * CRC-32C forms (a table of 256 entries, which any C programmer would write first, and the
 * instruction of SSE 4.2), and a monotonic clock.
 */
#ifndef VLP_H
#define VLP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

enum { FRAME_SIZE = 32, CHECKED_SIZE = 28, BATCH = 64 };

static uint32_t crc_table[256];

static inline void crc_table_fill(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; bit++) state = state & 1 ? state >> 1 ^ 0x82f63b78u : state >> 1;
    crc_table[byte] = state;
  }
}

static inline uint32_t crc_by_table(const uint8_t *bytes) {
  uint32_t state = 0xffffffffu;
  for (int i = 0; i < CHECKED_SIZE; i++) state = crc_table[(state ^ bytes[i]) & 0xff] ^ state >> 8;
  return ~state;
}

/*
 * The fastest form that the machine has: the load generator and the receiver use it, so that
 * neither is held up by it.
 */
static inline uint32_t crc_fast(const uint8_t *bytes) {
#if defined(__SSE4_2__)
  uint64_t state = 0xffffffffu, word;
  uint32_t half;
  for (int i = 0; i < 24; i += 8) {
    memcpy(&word, bytes + i, 8);
    state = _mm_crc32_u64(state, word);
  }
  memcpy(&half, bytes + 24, 4);
  return ~_mm_crc32_u32((uint32_t)state, half);
#else
  return crc_by_table(bytes);
#endif
}

static inline void frame_write(uint8_t *frame, uint32_t pid, uint64_t timestamp, uint64_t nonce, uint32_t payload) {
  const uint8_t head[4] = {0x56, 0x41, 2, 0};
  memcpy(frame, head, 4);
  memcpy(frame + 4, &pid, 4);
  memcpy(frame + 8, &timestamp, 8);
  memcpy(frame + 16, &nonce, 8);
  memcpy(frame + 24, &payload, 4);
  uint32_t crc = crc_fast(frame);
  memcpy(frame + 28, &crc, 4);
}

/* The Murmur3 finaliser, the hash of the daemon's own index. */
static inline uint32_t hash_pid(uint32_t pid) {
  pid ^= pid >> 16;
  pid *= 0x85ebca6bu;
  pid ^= pid >> 13;
  pid *= 0xc2b2ae35u;
  return pid ^ pid >> 16;
}

static inline uint64_t monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

#endif
