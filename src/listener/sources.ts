// Where the datagrams of a UDP socket come from, as the kernel names it. Port and zone are left
// out: an agent that is started again comes from another port.
import { AF_INET6 } from "../../ffi/constants.ts";
import { SOCKADDR_IN, SOCKADDR_IN6 } from "../../ffi/layout.ts";
import * as arena from "../../ffi/receive_batch.ts";
import { IP_WORDS, IPV4_MAPPED } from "../base/ip_text.ts";

/** Writes the address of datagram `i` of the arena into its place in `sources`. */
export function readSource(from: arena.ReceiveBatch, i: number, sources: Uint32Array): void {
  const { words, nameWord } = from;
  const name = nameWord + i * arena.NAME_STRIDE;
  const to = i * IP_WORDS;
  if ((words[name]! & 0xffff) === AF_INET6) {
    for (let word = 0; word < IP_WORDS; word++)
      sources[to + word] = bigEndian(words[name + SOCKADDR_IN6.sin6_addr / 4 + word]!);
  } else {
    sources[to] = 0;
    sources[to + 1] = 0;
    sources[to + 2] = IPV4_MAPPED;
    sources[to + 3] = bigEndian(words[name + SOCKADDR_IN.sin_addr / 4]!);
  }
}

/** A word in network byte order. */
function bigEndian(word: number): number {
  return ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff_0000) | (word << 24)) >>> 0;
}
