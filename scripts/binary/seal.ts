// Seals a runtime: a user who can set its environment must not be able to turn the program into a
// general interpreter, to load code into it, or to open a debugger port. The runtime offers no
// switch for that, so the names of these variables are overwritten in the executable: a name that
// begins with NUL matches nothing that an environment can hold.
//
// How often each name occurs is known for the locked runtime. A runtime with other counts was not
// reviewed, and the build stops.

interface SealedName {
  readonly name: string;
  /** Occurrences that are overwritten. */
  readonly count: number;
}

/** Longer names first, so that a name is not mistaken for the one that it begins with. */
export const SEALED_NAMES: readonly SealedName[] = [
  { name: "BUN_INSPECT_CONNECT_TO", count: 4 },
  { name: "BUN_INSPECT_PRELOAD", count: 2 },
  { name: "BUN_INSPECT_NOTIFY", count: 1 },
  { name: "BUN_INSPECT", count: 2 },
  { name: "BUN_BE_BUN", count: 1 },
  { name: "BUN_OPTIONS", count: 2 },
];

const FULL_STOP = 0x2e;

/**
 * Seals the executable in place; throws if it is not the runtime that the counts were taken from.
 */
export function seal(executable: Buffer): void {
  const found = SEALED_NAMES.map(({ name }) => sealName(executable, name));
  const wrong = SEALED_NAMES.flatMap(({ name, count }, index) =>
    found[index] === count ? [] : [`${name} occurs ${found[index]} times, not ${count}`],
  );
  if (wrong.length > 0)
    throw new Error(
      `Cannot seal the runtime: ${wrong.join(", ")}; look where the new one reads these variables, then correct seal.ts`,
    );
}

/** Names that the executable would still read from its environment. */
export function unsealedNames(executable: Buffer): readonly string[] {
  const left = Buffer.from(executable);
  return SEALED_NAMES.filter(({ name }) => sealName(left, name) > 0).map(({ name }) => name);
}

function sealName(executable: Buffer, name: string): number {
  let count = 0;
  for (let at = executable.indexOf(name); at >= 0; at = executable.indexOf(name, at + 1)) {
    // "process.env.NAME" in the runtime's own JavaScript runs only once a debugger is on.
    if (executable[at - 1] === FULL_STOP) continue;
    executable[at] = 0;
    count++;
  }
  return count;
}
