// The names of units that the operator listed, with the wildcards of a shell: "worker@*.service". A
// dozen characters of pattern against a name of at most 255 bytes; no regular expression is made of
// a user's text.

/** True if one of `globs` matches `name` from end to end: "*" any characters, "?" exactly one. */
export function matchesUnit(globs: readonly string[], name: string): boolean {
  return globs.some((glob) => matches(glob, name));
}

// Goes back to the last star only, which is fast enough for names of units.
function matches(glob: string, name: string): boolean {
  let globAt = 0;
  let nameAt = 0;
  let starAt = -1;
  let retryAt = 0;
  while (nameAt < name.length) {
    if (glob[globAt] === "*") {
      starAt = globAt++;
      retryAt = nameAt;
    } else if (globAt < glob.length && (glob[globAt] === "?" || glob[globAt] === name[nameAt])) {
      globAt += 1;
      nameAt += 1;
    } else if (starAt >= 0) {
      globAt = starAt + 1;
      nameAt = ++retryAt;
    } else return false;
  }
  while (glob[globAt] === "*") globAt += 1;
  return globAt === glob.length;
}
