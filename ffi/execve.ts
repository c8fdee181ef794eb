// Another program takes the place of this process (execve(2)), with the pid, the umask, the limit
// and the dispositions that this process was started with, an empty signal mask, and the
// descriptors that it was started with. Linux only. Texts are bytes: what a caller hands over need
// not be UTF-8.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { ptr } from "bun:ffi";
import { FD_CLOEXEC, F_GETFD, F_SETFD } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { ignoredAtStart, withInherited } from "./inherited.ts";
import { libc } from "./libc.ts";
import { restoreDispositions, unblockSignals } from "./signals.ts";

/** What the runtime opens for itself before any line of this program runs. */
const OF_THE_RUNTIME = /^anon_inode:\[(eventpoll|eventfd)\]$/;
const STDERR = 2;

interface NewProgram {
  readonly path: Uint8Array;
  readonly argv: readonly Uint8Array[];
  /** "NAME=value" each. */
  readonly env: readonly Uint8Array[];
  /** Descriptors that it gets beside the first three. */
  readonly descriptors: readonly number[];
}

/**
 * The descriptors above the first three that this process was started with. To be called before
 * the command opens any. The runtime marks all of them close-on-exec when it starts, so the mark
 * tells nothing; its own are known by what they are.
 */
export function inheritedDescriptors(): readonly number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > STDERR && isInherited(fd));
}

function isInherited(fd: number): boolean {
  try {
    return !OF_THE_RUNTIME.test(readlinkSync(`/proc/self/fd/${fd}`));
  } catch {
    // The one that the directory was read by.
    return false;
  }
}

// Held here: an address keeps nothing alive.
let words: Words;

/** Does not return but for an error: -errno, with this process as it was. */
export function becomeProgram({ path, argv, env, descriptors }: NewProgram): number {
  words = new Words([...argv, path], env);
  const before = descriptors.map((fd) => [fd, libc.fcntl(fd, F_GETFD, 0)] as const);
  for (const [fd, flags] of before) libc.fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
  unblockSignals();
  restoreDispositions(ignoredAtStart());
  const errno = withInherited(undefined, () =>
    resultOrErrno(libc.execve(words.path, words.argv, words.env)),
  );
  for (const [fd, flags] of before) libc.fcntl(fd, F_SETFD, flags);
  return errno;
}

/** The environment that this process was started with, byte for byte. */
export function environmentAtStart(): readonly Uint8Array[] {
  return splitAtNul(readFileSync("/proc/self/environ"));
}

/** The last `count` words of the command line, byte for byte. */
export function lastWordsAtStart(count: number): readonly Uint8Array[] {
  const words = splitAtNul(readFileSync("/proc/self/cmdline"));
  return words.slice(words.length - count);
}

function splitAtNul(bytes: Uint8Array): readonly Uint8Array[] {
  const words: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    const to = end < 0 ? bytes.length : end;
    words.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return words;
}

/** argv and envp as C has them, in one buffer: the path stands last among the words of argv. */
class Words {
  readonly path: ReturnType<typeof ptr>;
  readonly argv: ReturnType<typeof ptr>;
  readonly env: ReturnType<typeof ptr>;
  /** Keeps what the three point to. */
  readonly buffer: ArrayBuffer;

  constructor(argvAndPath: readonly Uint8Array[], env: readonly Uint8Array[]) {
    const all = [...argvAndPath, ...env];
    // Two tables with a null pointer at the end of each; the path needs no place in the first.
    const pointers = argvAndPath.length + env.length + 1;
    const size = all.reduce((sum, word) => sum + word.length + 1, 8 * pointers);
    this.buffer = new ArrayBuffer(size);
    const bytes = new Uint8Array(this.buffer);
    const table = new BigUint64Array(this.buffer, 0, pointers);
    const base = Number(ptr(this.buffer));
    const pathIndex = argvAndPath.length - 1;
    let at = 8 * pointers;
    let pathAt = at;
    all.forEach((word, index) => {
      bytes.set(word, at);
      if (index === pathIndex) pathAt = at;
      else table[index] = BigInt(base + at);
      at += word.length + 1;
    });
    this.path = ptr(this.buffer, pathAt);
    this.argv = ptr(this.buffer);
    this.env = ptr(this.buffer, 8 * argvAndPath.length);
  }
}
