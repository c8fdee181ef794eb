// A number that is another one as soon as a process runs another program: a look at it costs one
// small file, and everything that execve changes is read again only then.

/** FNV-1a over texts, never 0: two different ones are the same once in 2^32. */
export function markOf(texts: readonly string[]): number {
  let hash = 0x811c_9dc5;
  for (const text of texts) {
    for (let at = 0; at < text.length; at++)
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
    // No character ends a text.
    hash = Math.imul(hash ^ 0x100, 0x0100_0193);
  }
  return hash >>> 0 || 1;
}
